/** The site's shape. Pages are the Markdown files of docs/; reference/ is written by `npm run docs`. */
import { defineConfig } from "vitepress";

export default defineConfig({
  title: "Tilth",
  description: "Pre-training in TypeScript: from raw text to a checkpoint that other tools load.",
  lang: "en",
  outDir: "../build/docs",
  cacheDir: "../build/docs-cache",
  cleanUrls: true,
  lastUpdated: false,
  // Pages are written for people who read the files too: what looks like a tag is text.
  markdown: { html: false, attrs: { disable: true } },
  themeConfig: {
    // An index in the page: nothing is asked of anybody else.
    search: {
      provider: "local",
      options: {
        // Of the library's hundreds of pages only names and first words: guides come first.
        _render: (text, page, markdown) =>
          markdown.render(page.relativePath.startsWith("reference/api/") ? text.split("\n## ")[0] : text, page),
      },
    },
    outline: [2, 3],
    nav: [
      { text: "Tutorial", link: "/tutorial" },
      { text: "Concepts", link: "/concepts" },
      { text: "Guides", link: "/guides" },
      { text: "Reference", link: "/reference/commands" },
      { text: "Performance", link: "/performance" },
    ],
    sidebar: {
      "/reference/": [
        {
          text: "Reference",
          items: [
            { text: "Commands", link: "/reference/commands" },
            { text: "Configuration", link: "/reference/configuration" },
            { text: "Registries", link: "/reference/registries" },
            { text: "Library", link: "/reference/api/" },
          ],
        },
      ],
      "/": [
        {
          text: "Start",
          items: [
            { text: "Ten-minute tutorial", link: "/tutorial" },
            { text: "Concepts", link: "/concepts" },
            { text: "Coming from other tools", link: "/coming-from" },
            { text: "Questions", link: "/faq" },
            { text: "Troubleshooting", link: "/troubleshooting" },
          ],
        },
        {
          text: "Data",
          items: [
            "building",
            "readers",
            "filters",
            "deduplication",
            "licences",
            "decontamination",
            "classifier",
            "mixture",
            "tokenizers",
            "report",
            "takedown",
          ].map((name) => ({ text: name[0].toUpperCase() + name.slice(1), link: `/data/${name}` })),
        },
        {
          text: "Train",
          items: [
            { text: "Objectives", link: "/objectives" },
            { text: "Pictures with captions", link: "/images" },
            { text: "Continue a checkpoint", link: "/continued-pretraining" },
            { text: "Several ranks, Slurm", link: "/cluster" },
            { text: "Dashboard", link: "/dashboard" },
            { text: "Reliability", link: "/reliability" },
          ],
        },
        {
          text: "Know",
          items: [
            { text: "Evaluation", link: "/evaluation" },
            { text: "Scaling laws", link: "/scaling" },
            { text: "Planning", link: "/planning" },
            { text: "Lineage", link: "/lineage" },
            { text: "Diagnosis", link: "/diagnosis" },
            { text: "Search and influence", link: "/search" },
          ],
        },
        {
          text: "Use",
          items: [
            { text: "Fine-tuning and alignment", link: "/adaptation" },
            { text: "Serving", link: "/serving" },
            { text: "Export", link: "/export" },
            { text: "Library", link: "/library" },
            { text: "Extending", link: "/extending" },
            { text: "Command line", link: "/command-line" },
          ],
        },
        {
          text: "Inside",
          items: [
            { text: "Architecture", link: "/architecture" },
            { text: "Performance", link: "/performance" },
          ],
        },
      ],
    },
  },
});
