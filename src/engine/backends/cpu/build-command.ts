/**
 * Entry point of the set-up step (dist/native-build.js): builds the level this machine will use, or with `--all` every
 * level it can run. Silent where there is nothing to do; without a compiler it says so in one line and succeeds, since
 * the reference backend remains.
 */
import { CompilerMissingError, messageOf, TilthError } from "../../../foundation/index.ts";
import { ensureNativeLibrary } from "./build.ts";
import { chosenLevel, supportedLevels } from "./isa.ts";

async function main(): Promise<void> {
  const best = supportedLevels().length === 0 ? [] : [chosenLevel()];
  const levels = process.argv.includes("--all") ? supportedLevels() : best;
  const started = performance.now();
  const built: string[] = [];
  for (const level of levels) if ((await ensureNativeLibrary(level)).built) built.push(level);
  if (built.length === 0) return;
  console.log(`tilth: built the native kernels (${built.join(", ")}) in ${seconds(performance.now() - started)} s`);
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(1);
}

try {
  await main();
} catch (error) {
  if (error instanceof CompilerMissingError) {
    console.log(`tilth: ${error.message}; the slower reference backend is used. ${error.remedy}`);
  } else {
    console.error(`tilth: ${messageOf(error)}`);
    if (error instanceof TilthError && error.remedy) console.error(`  ${error.remedy}`);
    process.exitCode = 1;
  }
}
