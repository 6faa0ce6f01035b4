/** Trainable classifiers of documents: hashed n-grams and logistic regression, for quality, domain or toxicity. */
export { evaluateScores } from "./evaluate.ts";
export { type JudgingClassifier, prepareClassifiers, scoreDocument } from "./judge.ts";
export { Classifier, type ClassifierEvaluation, readClassifier, writeClassifier } from "./model.ts";
export { type ClassifierSettings, type CorpusClassifier, classifierSettings, corpusClassifier } from "./settings.ts";
export { type LabelledText, type TrainedClassifier, trainClassifier } from "./train.ts";
