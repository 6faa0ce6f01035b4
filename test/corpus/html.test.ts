import { describe, expect, it } from "vitest";
import { extractHtml } from "../../src/corpus/normalise/index.ts";
import { withinTime } from "../../src/corpus/normalise/time-limit.ts";

const textOf = (html: string | Buffer) => {
  const result = extractHtml(Buffer.from(html));
  return "text" in result ? result.text : `rejected: ${result.rejection.rule}`;
};

const sentences = (topic: string) =>
  Array.from(
    { length: 12 },
    (_, n) => `Sentence ${n} about ${topic} says something, and has a comma or two, too.`,
  ).join(" ");

const article = `<!DOCTYPE html><html><head><title>Soil</title><style>p{}</style><script>var x = "<p>";</script></head><body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/shop">Shop</a></li></ul></nav>
<div class="content"><h1>Soil</h1><p>${sentences("soil")}</p><h2>Kinds</h2><ul><li>Clay</li><li>Loam &amp; sand</li></ul>
<pre>plough(  depth )
  .twice()</pre><p>${sentences("tilth")}</p></div>
<div class="cookie-banner">We use cookies. <button>Accept</button></div><footer>© Example Ltd.</footer></body></html>`;

describe("extractHtml", () => {
  it("keeps the main content with its structure, and drops what is around it", () => {
    const text = textOf(article);
    expect(text.startsWith("Soil\n\nSentence 0 about soil")).toBe(true);
    expect(text).toContain("\n\nKinds\n\n- Clay\n- Loam & sand\n\n");
    expect(text).toContain("plough(  depth )\n  .twice()");
    for (const noise of ["Home", "Shop", "Accept", "© Example", "var x"]) expect(text).not.toContain(noise);
  });

  it("reads the body of a page that is no article, and a fragment", () => {
    expect(
      textOf(
        "<html><body><nav>Menu</nav><table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table></body></html>",
      ),
    ).toBe("a | b\nc | d");
    expect(textOf("<p>one</p><p>two<br>three</p>")).toBe("one\n\ntwo\nthree");
    expect(textOf("plain words")).toBe("plain words");
  });

  it("decodes as the page declares, else UTF-8, else windows-1252", () => {
    expect(textOf(Buffer.from('<meta charset="iso-8859-2"><p>\xb1\xe6</p>', "latin1"))).toBe("ąć");
    expect(textOf(Buffer.from("<p>größer</p>", "utf8"))).toBe("größer");
    expect(textOf(Buffer.from("<p>gr\xf6\xdfer</p>", "latin1"))).toBe("größer");
    expect(textOf(Buffer.from("<p>a\0b</p>", "latin1"))).toBe("rejected: encoding.binary");
  });

  it("records pages that hold no text, and survives depth and disorder", () => {
    expect(textOf("")).toBe("rejected: html.content");
    expect(textOf("<html><body><script>1</script></body></html>")).toBe("rejected: html.content");
    expect(textOf(`${"<div>".repeat(50_000)}deep`)).toBe("rejected: html.depth");
    expect(textOf("<p><b>a<i>b</p></b>c</i></table></p></body></html><p>d")).toContain("a");
    expect(textOf("<".repeat(100_000))).toMatch(/./);
  });
});

describe("withinTime", () => {
  it("returns and throws what the work does, and stops what does not end", () => {
    expect(withinTime(() => 7, 1000)).toBe(7);
    expect(() => withinTime(() => JSON.parse("{"), 1000)).toThrow(SyntaxError);
    expect(() =>
      withinTime(() => {
        for (;;);
      }, 50),
    ).toThrow(expect.objectContaining({ code: "ERR_SCRIPT_EXECUTION_TIMEOUT" }));
    expect(withinTime(() => "still works", 1000)).toBe("still works");
  });
});
