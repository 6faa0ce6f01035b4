/** Entry point of a worker thread that decodes images. */
import { move, transferableSymbol, valueSymbol } from "piscina";
import { type DecodeTask, decodeShare } from "./decode-task.ts";

export default async function work(task: DecodeTask): Promise<unknown> {
  const result = await decodeShare(task);
  // The pixels change threads without a copy.
  return move({ [transferableSymbol]: [result.pixels.buffer], [valueSymbol]: result } as never);
}
