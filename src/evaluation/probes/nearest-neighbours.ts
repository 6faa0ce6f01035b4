/** k-nearest-neighbour probe: the class that most of the nearest examples have, by cosine. */
import { type LabelledFeatures, type ProbeResult, requireFeatures, resultOf } from "./features.ts";

/** Each of the k nearest votes with its cosine; of equals the lower class wins, of equally near the earlier example. */
export function nearestNeighbourProbe(train: LabelledFeatures, test: LabelledFeatures, k = 20): ProbeResult {
  requireFeatures("nearestNeighbourProbe: train", train);
  requireFeatures("nearestNeighbourProbe: test", test);
  const { width } = train;
  const [known, asked] = [unitRows(train), unitRows(test)];
  const classes = Math.max(...train.labels) + 1;
  const cosines = new Float64Array(train.labels.length);
  const order = Array.from(train.labels, (_, i) => i);
  const predictions = Int32Array.from(test.labels, (_, row) => {
    for (let other = 0; other < cosines.length; other++) {
      let sum = 0;
      for (let i = 0; i < width; i++) sum += asked[row * width + i] * known[other * width + i];
      cosines[other] = sum;
    }
    const nearest = order.slice().sort((a, b) => cosines[b] - cosines[a] || a - b);
    const votes = new Float64Array(classes);
    for (const other of nearest.slice(0, k)) votes[train.labels[other]] += 1 + cosines[other];
    return votes.indexOf(Math.max(...votes));
  });
  return resultOf(predictions, test.labels);
}

function unitRows({ features, width, labels }: LabelledFeatures): Float32Array {
  const out = features.slice();
  for (let row = 0; row < labels.length; row++) {
    const part = out.subarray(row * width, (row + 1) * width);
    const norm = Math.sqrt(part.reduce((sum, value) => sum + value * value, 0)) || 1;
    for (let i = 0; i < width; i++) part[i] /= norm;
  }
  return out;
}
