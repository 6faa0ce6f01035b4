/** Work of a job that several ranks do together. */
import { writeSync } from "node:fs";
import { type Communicator, createCommunicator } from "../cluster/index.ts";
import { InterruptedError, messageOf } from "../foundation/index.ts";

/** Joins the ranks, does the work, and leaves them. A rank that fails says why and ends all. */
export async function onRanks<Output>(work: (ranks: Communicator) => Promise<Output>): Promise<Output> {
  const ranks = await createCommunicator();
  try {
    return await work(ranks);
  } catch (error) {
    // The others wait for this rank in a sum: they must end with it. Through the main thread the words would come too late.
    if (ranks.size > 1 && !(error instanceof InterruptedError)) {
      writeSync(2, `tilth: rank ${ranks.rank}: ${messageOf(error)}\n`);
      ranks.abort(1);
    }
    throw error;
  } finally {
    ranks.dispose();
  }
}
