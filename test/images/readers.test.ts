import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { augmentationSettings, ImageLoader, imageSettings, readImageBytes, readPairs } from "../../src/images/index.ts";

const picture = "test/images/fixtures/small.png";
const temporary = () => mkdtempSync(join(tmpdir(), "tilth-images-"));

function folderOf(files: Readonly<Record<string, string | null>>): string {
  const folder = temporary();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    if (content === null) copyFileSync(picture, join(folder, name));
    else writeFileSync(join(folder, name), content);
  }
  return folder;
}

describe("a set of images with captions", () => {
  it("may be a folder with a text file beside every image", () => {
    const folder = folderOf({
      "a.png": null,
      "a.txt": "a cat\na grey cat\n",
      "deep/b.png": null,
      "deep/b.txt": "a dog",
      "c.jpg": null,
    });
    const { pairs, skipped } = readPairs(folder);
    expect(pairs.map(({ name, captions, class: label }) => [name, captions, label])).toEqual([
      ["a.png", ["a cat", "a grey cat"], undefined],
      ["deep/b.png", ["a dog"], undefined],
    ]);
    expect(skipped).toEqual([{ name: "c.jpg", reason: "it has neither a caption nor a class" }]);
  });

  it("may be a subfolder for every class", () => {
    const { pairs } = readPairs(folderOf({ "polar_bear/1.png": null, "fox/x/2.png": null }), {
      template: "this is a {class}.",
    });
    expect(pairs.map(({ captions, class: label }) => [captions[0], label])).toEqual([
      ["this is a fox.", "fox"],
      ["this is a polar bear.", "polar bear"],
    ]);
  });

  it("may be JSON lines, whose faults are named with their line", () => {
    const lines = [
      { image: "a.png", caption: "one", class: "x", group: "g" },
      { file_name: "a.png", captions: ["two", "three"] },
      { image: "absent.png", caption: "four" },
      { image: "a.png", caption: " " },
    ];
    const folder = folderOf({ "a.png": null, "captions.jsonl": lines.map((one) => JSON.stringify(one)).join("\n") });
    const { pairs, skipped } = readPairs(folder);
    expect(pairs.map(({ captions, class: label, group }) => [captions, label, group])).toEqual([
      [["one"], "x", "g"],
      [["two", "three"], undefined, undefined],
    ]);
    expect(skipped.map(({ reason }) => reason)).toEqual(["there is no such file", "it has no caption"]);
    writeFileSync(join(folder, "captions.jsonl"), '{"image": "a.png", "caption": "one"}\n{"image": ');
    expect(() => readPairs(folder)).toThrow(/captions\.jsonl:2 is not JSON/);
    writeFileSync(join(folder, "captions.jsonl"), '{"image": "a.png", "caption": 7}');
    expect(() => readPairs(folder)).toThrow(/captions\.jsonl:1: "caption"/);
  });

  it("may be webdataset archives, with long names and a caption in JSON", () => {
    const long = `${"deep/".repeat(30)}very-long-name`;
    const folder = folderOf({
      "s/0001.png": null,
      "s/0001.txt": "first",
      "s/0002.json": '{"caption": "second"}',
      "s/0002.png": null,
      "s/0003.png": null,
      [`s/${long}.png`]: null,
      [`s/${long}.txt`]: "third",
    });
    for (const format of ["gnu", "pax", "ustar"]) {
      const archive = join(folder, `${format}.tar`);
      const names = format === "ustar" ? ["0001.png", "0001.txt", "0002.json", "0002.png", "0003.png"] : ["."];
      execFileSync("tar", [`--format=${format}`, "--sort=name", "-cf", archive, "-C", join(folder, "s"), ...names]);
      const { pairs, skipped } = readPairs(archive);
      expect(pairs.map(({ captions }) => captions[0]).sort()).toEqual(
        format === "ustar" ? ["first", "second"] : ["first", "second", "third"],
      );
      expect(skipped).toHaveLength(1);
      for (const { image } of pairs) expect(Buffer.from(readImageBytes(image))).toEqual(readFileSync(picture));
    }
  });

  it("is read as far as an archive goes that was cut short", () => {
    const folder = folderOf({ "s/1.png": null, "s/1.txt": "first", "s/2.png": null, "s/2.txt": "second" });
    const archive = join(folder, "cut.tar");
    execFileSync("tar", ["-cf", archive, "-C", join(folder, "s"), "1.txt", "1.png", "2.txt", "2.png"]);
    truncateSync(archive, 512 * 2 + 6 * 1024 + 512 * 3 + 700);
    const { pairs, skipped } = readPairs(archive);
    expect(pairs.map(({ captions }) => captions[0])).toEqual(["first"]);
    expect(skipped[0].reason).toContain("ends in the middle");
    writeFileSync(archive, "no archive at all".repeat(100));
    expect(() => readPairs(archive)).toThrow("is not a tar archive");
  });

  it("that holds no pair is refused with what was expected", () => {
    expect(() => readPairs(folderOf({ "a.png": null }))).toThrow(/no image with a caption.*"a.png"/);
    expect(() => readPairs("/no/such/place")).toThrow("there is no such file");
  });
});

describe("the loader", () => {
  const settings = imageSettings.parse({ size: 8 });
  const loader = new ImageLoader(settings, 2);
  afterAll(() => loader.close());

  it("leaves damaged images out and names them, whatever their number", async () => {
    const folder = folderOf({
      "a.png": null,
      "a.txt": "whole",
      "b.png": "no image",
      "b.txt": "damaged",
      "c.png": null,
      "c.txt": "cut short",
    });
    truncateSync(join(folder, "c.png"), 2000);
    const { pairs } = readPairs(folder);
    const requests = Array.from({ length: 100 }, (_, index) => ({ pair: pairs[index % 3], keys: [index] }));
    const { pixels, kept, damaged } = await loader.load(requests);
    expect(kept).toEqual(Array.from({ length: 34 }, (_, index) => index * 3));
    expect(pixels.length).toBe(34 * 3 * 8 * 8);
    expect(new Set(damaged.map(({ name }) => name))).toEqual(new Set(["b.png", "c.png"]));
    expect(damaged).toHaveLength(66);
  });

  it("augments by the keys alone, however the work is spread", async () => {
    const { pairs } = readPairs(folderOf({ "a.png": null, "a.txt": "whole" }));
    const augmentation = augmentationSettings.parse({ cropShare: [0.2, 1], flip: 0.5 });
    const requests = Array.from({ length: 70 }, (_, index) => ({ pair: pairs[0], keys: [3, 1, index] }));
    const one = await loader.load(requests, augmentation);
    const single = new ImageLoader(settings, 1);
    const other = await single.load([...requests].reverse(), augmentation);
    await single.close();
    const length = 3 * 8 * 8;
    for (let index = 0; index < 70; index++) {
      expect(other.pixels.slice((69 - index) * length, (70 - index) * length)).toEqual(
        one.pixels.slice(index * length, (index + 1) * length),
      );
    }
    expect(one.pixels.slice(0, length)).not.toEqual(one.pixels.slice(length, 2 * length));
  });
});
