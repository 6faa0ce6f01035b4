/**
 * A ladder of small models, the law through them, and the loss that it foretells for a larger one.
 *   node examples/library/scaling-ladder.ts [ladder.yaml] [folder]
 */
import { fitLaw, forecast, loadLadder, readPoints, trainLadder } from "tilth";

const [file = "examples/ladder.yaml", folder] = process.argv.slice(2);

const ladder = await loadLadder(file, { folder });
const work = trainLadder(ladder);
for await (const event of work) {
  if (event.kind === "rung") console.log(`${event.name}: ${event.loss?.toFixed(3) ?? "training"}`);
}
const { table } = await work;

const law = fitLaw(readPoints(table, { parameters: "parameters", tokens: "tokens", loss: "loss" }));
const large = { parameters: 100e6, tokens: 2e9 };
const { loss, interval } = forecast(law, large.parameters, large.tokens);
console.log(`${law.form}: ${JSON.stringify(law.constants)}`);
console.log(
  `100M parameters on 2G tokens: ${loss.toFixed(2)} nats a token (${interval.map((one) => one.toFixed(2)).join(" to ")})`,
);
