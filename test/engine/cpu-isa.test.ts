import { describe, expect, it } from "vitest";
import { chosenLevel, featuresOfCpuinfo, isaLevels, supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import { createBackend } from "../../src/engine/index.ts";

const avx2 = new Set(["avx2", "fma"]);
const avx512 = new Set([...avx2, "avx512f", "avx512bw", "avx512dq", "avx512vl"]);

describe("the instruction-set level", () => {
  it("is the best that the processor can run", () => {
    expect(chosenLevel(undefined, avx512)).toBe("avx512");
    expect(chosenLevel("", avx2)).toBe("avx2");
    expect(supportedLevels(avx512)).toEqual(["avx512", "avx2"]);
  });

  it("is the one that TILTH_ISA names", () => {
    expect(chosenLevel("avx2", avx512)).toBe("avx2");
  });

  it("is refused where the processor lacks a part of it", () => {
    expect(() => chosenLevel("avx512", avx2)).toThrow(/TILTH_ISA is "avx512".*supports: avx2$/);
    expect(supportedLevels(new Set(["avx512f", "avx2", "fma"]))).toEqual(["avx2"]);
  });

  it("is refused where nobody has heard of it", () => {
    expect(() => chosenLevel("sse9", avx512)).toThrow(/no instruction-set level.*avx512, avx2$/);
  });

  it("does not exist on a processor without any", () => {
    expect(() => chosenLevel(undefined, new Set())).toThrow(/avx512 or avx2/);
  });

  it.each(isaLevels.map((level) => level.name))("%s is taken where it runs, else a clear error", async (name) => {
    const backend = createBackend("cpu", { level: name, threads: 1 });
    if (supportedLevels().includes(name)) {
      expect((await backend).description).toContain(`cpu (${name},`);
      (await backend).dispose();
    } else {
      await expect(backend).rejects.toThrow(
        new RegExp(`TILTH_ISA is "${name}", which this machine cannot run \\(the (processor lacks|operating system)`),
      );
    }
  });

  it("needs the kernel's permission for AMX, not its features alone", () => {
    const features = new Set(isaLevels.find((level) => level.name === "amx")?.features);
    const permitted = supportedLevels().includes("amx");
    expect(supportedLevels(features).includes("amx")).toBe(permitted);
    if (!permitted) expect(() => chosenLevel("amx", features)).toThrow(/the operating system does not permit it/);
  });

  it("is neon on 64-bit ARM", () => {
    const features = featuresOfCpuinfo("Features\t: fp asimd evtstrm\n\nFeatures\t: fp asimd\n");
    expect(supportedLevels(features)).toEqual(["neon"]);
  });

  it("counts only features that all processors have", () => {
    expect([...featuresOfCpuinfo("flags\t\t: fma avx2 avx512f\n\nflags\t\t: fma avx2\n")]).toEqual(["fma", "avx2"]);
    expect(featuresOfCpuinfo("processor : 0\n").size).toBe(0);
  });
});
