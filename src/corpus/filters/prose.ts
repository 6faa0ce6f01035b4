/** The running text of a Markdown, reStructuredText or plain document: what a filter for prose should look at. */

const image = /!\[[^[\]\n]*\]\([^()\n]*\)/g;
const linkTarget = /\]\([^()\n]*\)/g;
const linkDefinition = /^ {0,3}\[[^[\]\n]+\]:.*$/gm;
const htmlTag = /<\/?[a-zA-Z][^<>\n]*>/g;
const bareUrl = /<?https?:\/\/[^\s<>]+>?/g;
const headingMarks = /^ {0,3}#{1,6}(?=[ \t])/gm;
/** Underlines of headings, rules between sections, and the separator row of a table. */
const rule = /^[ \t]*[|:=~*_^"'`+#-][|:=~*_^"'`+# \t-]{2,}$/gm;
const tableCellBorder = /[ \t]*\|[ \t]*/g;
const tableRow = /^[ \t]*\|.*$/gm;
const blankRun = /\n(?:[ \t]*\n){2,}/g;
const fence = /^ {0,3}(`{3,}|~{3,})([^\n]*)$/gm;

/**
 * `text` without what is not prose: fenced code, HTML comments and tags, images and badges, the targets of links, bare
 * URLs, and the marks of headings, rules and tables. List marks stay, because Gopher's rule counts them. Plain text
 * comes back as it is. Every step is linear in the length of the text.
 */
export function proseOf(text: string): string {
  let prose = text;
  if (prose.includes("```") || prose.includes("~~~")) prose = withoutFencedCode(prose);
  if (prose.includes("<!--")) prose = withoutComments(prose);
  if (prose.includes("://")) prose = prose.replace(linkDefinition, "");
  if (prose.includes("](")) prose = prose.replace(image, "").replace(linkTarget, "]");
  if (prose.includes("<")) prose = prose.replace(htmlTag, "");
  if (prose.includes("://")) prose = prose.replace(bareUrl, "");
  if (prose.includes("#")) prose = prose.replace(headingMarks, "");
  prose = prose.replace(rule, "");
  if (prose.includes("|")) prose = prose.replace(tableRow, (row) => row.replace(tableCellBorder, " "));
  // What was removed leaves empty lines, which the writer did not write.
  return prose === text ? text : prose.replace(blankRun, "\n\n");
}

/** CommonMark: a fence closes at the next line of the same mark, at least as long, with nothing after it. */
function withoutFencedCode(text: string): string {
  const kept: string[] = [];
  let from = 0;
  let open: string | undefined;
  for (const match of text.matchAll(fence)) {
    const [line, mark, rest] = match;
    if (open === undefined) {
      // Three backticks that close on their own line are inline code.
      if (mark.startsWith("`") && rest.includes("`")) continue;
      kept.push(text.slice(from, match.index));
      open = mark;
    } else if (mark.startsWith(open) && rest.trim() === "") {
      from = match.index + line.length;
      open = undefined;
    }
  }
  // A fence that never closes runs to the end of the document.
  if (open === undefined) kept.push(text.slice(from));
  return kept.join("");
}

function withoutComments(text: string): string {
  const kept: string[] = [];
  let from = 0;
  for (let start = text.indexOf("<!--"); start >= 0; start = text.indexOf("<!--", from)) {
    const end = text.indexOf("-->", start + 4);
    if (end < 0) break;
    kept.push(text.slice(from, start));
    from = end + 3;
  }
  kept.push(text.slice(from));
  return kept.join("");
}
