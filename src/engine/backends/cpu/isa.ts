/** Instruction-set levels: which ones the native kernels are compiled for, which this machine can run, which is taken. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { TilthError } from "../../../foundation/index.ts";
import { kernelPermitsTiles } from "./tile-permission.ts";

/** One level: a library of its own, compiled from the same sources. */
export interface IsaLevel {
  readonly name: string;
  /** Processor features it needs, as Linux names them in /proc/cpuinfo. */
  readonly features: readonly string[];
  /** Whether the operating system lets this process use it, where the features alone do not say so. */
  readonly permitted?: () => boolean;
  /** What the compiler needs to be told; GCC and Clang agree on these. */
  readonly compilerFlags: readonly string[];
}

const avx512 = {
  features: ["avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"],
  compilerFlags: ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
};
const avx512bf16 = {
  features: [...avx512.features, "avx512_bf16"],
  compilerFlags: [...avx512.compilerFlags, "-mavx512bf16"],
};

/** The levels there are, best first. A further one is one entry here and its vector type in native/vector.h. */
export const isaLevels: readonly IsaLevel[] = [
  {
    name: "amx",
    features: [...avx512bf16.features, "amx_tile", "amx_bf16"],
    permitted: kernelPermitsTiles,
    compilerFlags: [...avx512bf16.compilerFlags, "-mamx-tile", "-mamx-bf16"],
  },
  { name: "avx512bf16", ...avx512bf16 },
  { name: "avx512", ...avx512 },
  { name: "avx2", features: ["avx2", "fma"], compilerFlags: ["-mavx2", "-mfma"] },
  { name: "neon", features: ["asimd"], compilerFlags: [] },
];

/** The features of this machine's processor that the operating system lets programs use, in Linux's spelling. */
export function processorFeatures(): ReadonlySet<string> {
  try {
    if (process.platform === "linux") return featuresOfCpuinfo(readFileSync("/proc/cpuinfo", "utf8"));
    if (process.platform === "darwin" && process.arch === "arm64") return new Set(["asimd"]);
    if (process.platform === "darwin" && process.arch === "x64") {
      const names = ["machdep.cpu.features", "machdep.cpu.leaf7_features"];
      return new Set(
        execFileSync("sysctl", ["-n", ...names], { encoding: "utf8" })
          .toLowerCase()
          .split(/\s+/),
      );
    }
  } catch {
    // What cannot be read counts as absent: an illegal instruction would end the process.
  }
  return new Set();
}

/** The features that every processor of a /proc/cpuinfo has. */
export function featuresOfCpuinfo(text: string): ReadonlySet<string> {
  const processors = [...text.matchAll(/^(?:flags|Features)\s*:(.*)$/gm)].map(
    (match) => new Set(match[1].trim().split(/\s+/)),
  );
  if (processors.length === 0) return new Set();
  return new Set([...processors[0]].filter((feature) => processors.every((other) => other.has(feature))));
}

/** Names of the levels that a processor with these features can run, best first. */
export function supportedLevels(features: ReadonlySet<string> = processorFeatures()): string[] {
  return isaLevels.filter((level) => whyUnsupported(level, features) === undefined).map((level) => level.name);
}

/** What a level lacks on a processor with these features, for people; undefined where it runs. */
export function whyUnsupported(
  level: IsaLevel,
  features: ReadonlySet<string> = processorFeatures(),
): string | undefined {
  const missing = level.features.filter((name) => !features.has(name));
  if (missing.length > 0) return `the processor lacks ${missing.join(", ")}`;
  return level.permitted?.() === false ? "the operating system does not permit it" : undefined;
}

/** The levels that this machine cannot run, best first, and why. */
export function lackingLevels(): { readonly level: string; readonly why: string }[] {
  const features = processorFeatures();
  return isaLevels.flatMap((level) => {
    const why = whyUnsupported(level, features);
    return why === undefined ? [] : [{ level: level.name, why }];
  });
}

/**
 * The level to use: `TILTH_ISA` if set, else the best this machine can run.
 * Throws TilthError where TILTH_ISA is unknown or not supported here, or where no level is.
 */
export function chosenLevel(
  asked: string | undefined = process.env.TILTH_ISA,
  features: ReadonlySet<string> = processorFeatures(),
): string {
  const supported = supportedLevels(features);
  const choice = supported.length === 0 ? "none" : supported.join(", ");
  if (asked !== undefined && asked !== "") {
    if (supported.includes(asked)) return asked;
    const known = isaLevels.find((level) => level.name === asked);
    throw new TilthError(
      known
        ? `TILTH_ISA is "${asked}", which this machine cannot run (${whyUnsupported(known, features)}); it supports: ${choice}`
        : `TILTH_ISA is "${asked}", which is no instruction-set level; this machine supports: ${choice}`,
      { remedy: "Unset TILTH_ISA to use the best level, or set it to one of those." },
    );
  }
  if (supported.length === 0) {
    throw new TilthError(
      `the native kernels need ${isaLevels.map((level) => level.name).join(" or ")}, which this processor lacks`,
      { remedy: "Use the reference backend." },
    );
  }
  return supported[0];
}

/** The level of that name. Throws TilthError for an unknown one. */
export function levelNamed(name: string): IsaLevel {
  const level = isaLevels.find((candidate) => candidate.name === name);
  if (level === undefined) {
    throw new TilthError(`"${name}" is no instruction-set level`, {
      remedy: `Levels: ${isaLevels.map((candidate) => candidate.name).join(", ")}`,
    });
  }
  return level;
}
