import { describe, expect, it } from "vitest";
import { supportedLevels } from "../../src/engine/backends/cpu/isa.ts";
import {
  activation,
  add,
  addIntoRows,
  addLowRank,
  addRows,
  attention,
  cast,
  contrastiveLoss,
  createBackend,
  crossAttention,
  dropout,
  Engine,
  embedding,
  gatherRows,
  geglu,
  headCrossEntropy,
  headCrossEntropyWithBias,
  headNorm,
  l2Normalize,
  layerNorm,
  linear,
  linearWithBias,
  meanRows,
  ops,
  ParameterArena,
  patchEmbedding,
  residualLayerNorm,
  residualRmsNorm,
  rmsNorm,
  rope,
  sigmoidContrastiveLoss,
  swiglu,
  type Variable,
} from "../../src/engine/index.ts";
import { Random } from "../../src/foundation/index.ts";

/** A case builds a scalar loss from parameters of the given shapes; every op of the registry must be in some case. */
interface Case {
  readonly ops: readonly (keyof typeof ops)[];
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  loss(engine: Engine, p: Readonly<Record<string, Variable>>): Variable;
}

const classes = 19;

/** Ends a case: the outputs go through a head of their own width, with some targets ignored. */
function close(engine: Engine, x: Variable, head: Variable): Variable {
  const [rows] = x.tensor.shape;
  const targets = engine.constant(Int32Array.from({ length: rows }, (_, i) => (i % 5 === 3 ? -1 : (i * 7) % classes)));
  return engine.run(headCrossEntropy, { x, weight: head }, { targets, normalizer: rows }).loss;
}

function attentionCase(
  sequences: number,
  length: number,
  heads: number,
  keyValueHeads: number,
  headSize: number,
  mask: "documents" | "none" | "both ways" | "window" = "none",
): Case {
  const width = (heads + 2 * keyValueHeads) * headSize;
  return {
    ops: ["attention", "rope", "headCrossEntropy"],
    shapes: { x: [sequences * length, width], head: [classes, heads * headSize] },
    loss(engine, { x, head }) {
      const tokens = sequences * length;
      const angles = Float32Array.from({ length: length * headSize }, (_, i) => {
        const angle = Math.floor(i / headSize) / 3 ** (i % (headSize / 2));
        return i % headSize < headSize / 2 ? Math.cos(angle) : Math.sin(angle);
      });
      const rotation = {
        table: engine.constant(angles, [length, headSize]),
        positions: engine.constant(Int32Array.from({ length: tokens }, (_, i) => i % length)),
        heads: heads + keyValueHeads,
        headSize,
      };
      const shape = {
        sequences,
        queryLength: length,
        keyLength: length,
        heads,
        keyValueHeads,
        headSize,
        scale: headSize ** -0.5,
        causal: mask !== "both ways",
      };
      const position = (token: number) => token % length;
      // Documents of 50 tokens: they begin in every position towards the tiles of the kernel.
      const [from, to] = {
        none: [undefined, undefined],
        documents: [(token: number) => Math.floor(position(token) / 50) * 50, () => length],
        // The document before and after, and padding from position `length` − 5 on.
        "both ways": [
          (token: number) => Math.floor(position(token) / 50) * 50,
          (token: number) => Math.min(Math.floor(position(token) / 50) * 50 + 50, length - 5),
        ],
        window: [(token: number) => Math.max(0, position(token) - 29), () => length],
      }[mask];
      const documents =
        from === undefined || to === undefined
          ? {}
          : {
              visibleFrom: engine.constant(Int32Array.from({ length: tokens }, (_, token) => from(token))),
              visibleTo: engine.constant(Int32Array.from({ length: tokens }, (_, token) => to(token))),
            };
      // A copy through `linear` with the identity keeps the parameter out of rope's in-place write.
      const identity = engine.input(
        Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0)),
        [width, width],
      );
      const packed = engine.run(linear, { x, weight: identity }, {}).out;
      const rotated = engine.run(rope, { x: packed }, rotation).out;
      return close(engine, engine.run(attention, { packed: rotated }, { shape, ...documents }).out, head);
    },
  };
}

const cases: Record<string, Case> = {
  "embedding with repeated ids": {
    ops: ["embedding", "headCrossEntropy"],
    shapes: { table: [13, 17], head: [classes, 17] },
    loss: (engine, { table, head }) =>
      close(
        engine,
        engine.run(embedding, { table }, { ids: engine.constant(Int32Array.of(3, 3, 0, 12, 7, 3, 12)) }).out,
        head,
      ),
  },
  "a head with z-loss": {
    ops: ["headCrossEntropy"],
    shapes: { x: [7, 33], head: [classes, 33] },
    loss(engine, { x, head }) {
      const targets = engine.constant(Int32Array.of(1, -1, 18, 5, 0, 3, 5));
      return engine.run(headCrossEntropy, { x, weight: head }, { targets, normalizer: 7, zLoss: 0.1 }).loss;
    },
  },
  "a table tied to the head": {
    ops: ["embedding", "headCrossEntropy"],
    shapes: { table: [classes, 33] },
    loss: (engine, { table }) =>
      close(engine, engine.run(embedding, { table }, { ids: engine.constant(Int32Array.of(1, 5, 18, 5)) }).out, table),
  },
  ...Object.fromEntries(
    (
      [
        [1, 1, "swiglu"],
        [7, 63, "swiglu"],
        [65, 17, "geglu"],
        [129, 65, "swiglu"],
        [7, 33, "geglu"],
      ] as const
    ).map(([rows, width, gate]) => [
      `linear, rmsNorm and ${gate} of ${rows} × ${width}`,
      {
        ops: ["linear", "rmsNorm", gate, "headCrossEntropy"],
        shapes: { x: [rows, width], norm: [width], gateUp: [2 * 7, width], head: [classes, 7] },
        loss(engine, { x, norm, gateUp, head }) {
          const normed = engine.run(rmsNorm, { x, weight: norm }, { epsilon: 1e-5 }).out;
          const both = engine.run(linear, { x: normed, weight: gateUp }, {}).out;
          const gated = engine.run({ swiglu, geglu }[gate], { gateUp: both }, {}).out;
          return close(engine, gated, head);
        },
      } satisfies Case,
    ]),
  ),
  "two residual norms, whose stream is used twice": {
    ops: ["residualRmsNorm", "linear", "headCrossEntropy"],
    shapes: { x: [17, 63], a: [63, 63], b: [63, 63], norm: [63], head: [classes, 63] },
    loss(engine, { x, a, b, norm, head }) {
      const first = engine.run(
        residualRmsNorm,
        { x, delta: engine.run(linear, { x, weight: a }, {}).out, weight: norm },
        { epsilon: 1e-5 },
      );
      const delta = engine.run(linear, { x: first.out, weight: b }, {}).out;
      return close(
        engine,
        engine.run(residualRmsNorm, { x: first.sum, delta, weight: norm }, { epsilon: 1e-5 }).out,
        head,
      );
    },
  },
  ...Object.fromEntries(
    (["gelu", "gelu-tanh", "quick-gelu", "tanh"] as const).map((kind, i) => {
      const [rows, width] = [
        [1, 7],
        [17, 63],
        [65, 17],
        [129, 33],
      ][i];
      return [
        `a biased linear layer, ${kind} and layer norm of ${rows} × ${width}`,
        {
          ops: ["linearWithBias", "activation", "layerNorm", "headCrossEntropyWithBias"],
          shapes: {
            ...{ x: [rows, width], weight: [9, width], bias: [9], scale: [9], shift: [9] },
            ...{ head: [classes, 9], headBias: [classes] },
          },
          loss(engine, { x, weight, bias, scale, shift, head, headBias }) {
            const projected = engine.run(linearWithBias, { x, weight, bias }, {}).out;
            const activated = engine.run(activation, { x: projected }, { kind }).out;
            const normed = engine.run(layerNorm, { x: activated, weight: scale, bias: shift }, { epsilon: 0.1 }).out;
            const targets = engine.constant(Int32Array.from({ length: rows }, (_, row) => (row * 7) % classes));
            const inputs = { x: normed, weight: head, bias: headBias };
            return engine.run(headCrossEntropyWithBias, inputs, { targets, normalizer: rows }).loss;
          },
        } satisfies Case,
      ];
    }),
  ),
  "two residual layer norms, of which only one's stream goes on": {
    ops: ["residualLayerNorm", "linear", "dropout", "add", "headCrossEntropy"],
    shapes: { x: [17, 63], a: [63, 63], b: [63, 63], scale: [63], shift: [63], head: [classes, 63] },
    loss(engine, { x, a, b, scale, shift, head }) {
      const norm = (stream: Variable, delta: Variable) =>
        engine.run(residualLayerNorm, { x: stream, delta, weight: scale, bias: shift }, { epsilon: 1e-3 });
      const projected = engine.run(linear, { x, weight: a }, {}).out;
      const delta = engine.run(dropout, { x: projected }, { probability: 0.25, key: 99 }).out;
      const first = norm(x, engine.run(add, { a: delta, b: x }, {}).out);
      const second = norm(first.sum, engine.run(linear, { x: first.out, weight: b }, {}).out);
      return close(engine, second.out, head);
    },
  },
  "rows gathered twice, and means over ranges that overlap": {
    ops: ["gatherRows", "meanRows", "headCrossEntropy"],
    shapes: { x: [33, 17], head: [classes, 17] },
    loss(engine, { x, head }) {
      const rows = engine.constant(Int32Array.of(3, 32, 3, 0, 7, 7, 7));
      const gathered = engine.run(gatherRows, { x }, { rows }).out;
      const from = engine.constant(Int32Array.of(0, 2, 5, 1, 0));
      const to = engine.constant(Int32Array.of(7, 4, 5, 7, 1));
      return close(engine, engine.run(meanRows, { x: gathered }, { from, to }).out, head);
    },
  },
  "normalised query and key heads": {
    ops: ["headNorm", "headCrossEntropy"],
    shapes: { x: [19, 5 * 7], queryWeight: [7], keyWeight: [7], head: [classes, 5 * 7] },
    loss(engine, { x, queryWeight, keyWeight, head }) {
      const shape = { queryHeads: 3, keyHeads: 1, headSize: 7 };
      return close(engine, engine.run(headNorm, { x, queryWeight, keyWeight }, { shape, epsilon: 1e-5 }).out, head);
    },
  },
  "patches with positions": {
    ops: ["patchEmbedding", "addRows", "headCrossEntropy"],
    shapes: { weight: [9, 3 * 4 ** 2], positions: [10, 9], head: [classes, 9] },
    loss(engine, { weight, positions, head }) {
      const random = new Random(9);
      const pixels = engine.constant(
        Float32Array.from({ length: 2 * 3 * 12 * 12 }, () => random.normal()),
        [2, 3, 12, 12],
      );
      const x = engine.run(patchEmbedding, { weight }, { pixels, patch: 4, leading: 1 }).out;
      return close(engine, engine.run(addRows, { x, table: positions }, {}).out, head);
    },
  },
  "a vector in some rows of a table": {
    ops: ["addIntoRows", "headCrossEntropy"],
    shapes: { table: [7, 9], added: [9], head: [classes, 9] },
    loss: (engine, { table, added, head }) =>
      close(engine, engine.run(addIntoRows, { x: table, added }, { start: 2, count: 3 }).out, head),
  },
  "two low-rank adapters beside a linear layer, with and without dropout": {
    ops: ["addLowRank", "linear"],
    shapes: { x: [33, 17], weight: [21, 17], down: [2 * 3, 17], up: [5 + 9, 3], head: [classes, 21] },
    loss(engine, { x, weight, down, up, head }) {
      const blocks = [
        { start: 0, count: 5 },
        { start: 12, count: 9 },
      ];
      const base = engine.run(linear, { x, weight }, {}).out;
      const options = { rank: 3, scale: 0.7, blocks };
      const once = engine.run(addLowRank, { base, x, down, up }, options).out;
      const dropout = { probability: 0.25, key: 7 };
      return close(engine, engine.run(addLowRank, { base: once, x, down, up }, { ...options, dropout }).out, head);
    },
  },
  "attention of queries over other rows": {
    ops: ["crossAttention", "headCrossEntropy"],
    shapes: { query: [3 * 2, 8], keyValue: [3 * 5, 16], head: [classes, 8] },
    loss(engine, { query, keyValue, head }) {
      const shape = {
        ...{ sequences: 3, queryLength: 2, keyLength: 5, heads: 2, keyValueHeads: 2, headSize: 4 },
        ...{ scale: 0.5, causal: false },
      };
      return close(engine, engine.run(crossAttention, { query, keyValue }, { shape }).out, head);
    },
  },
  "the symmetric contrastive loss of unit embeddings": {
    ops: ["l2Normalize", "contrastiveLoss"],
    shapes: { a: [33, 17], b: [33, 17], logitScale: [1] },
    loss(engine, { a, b, logitScale }) {
      const [images, texts] = [a, b].map((x) => engine.run(l2Normalize, { x }, {}).out);
      return engine.run(contrastiveLoss, { images, texts, logitScale }, {}).loss;
    },
  },
  "the sigmoid contrastive loss": {
    ops: ["sigmoidContrastiveLoss"],
    shapes: { images: [19, 7], texts: [19, 7], logitScale: [1], logitBias: [1] },
    loss: (engine, { images, texts, logitScale, logitBias }) =>
      engine.run(sigmoidContrastiveLoss, { images, texts, logitScale, logitBias }, {}).loss,
  },
  "a conversion": {
    ops: ["cast", "headCrossEntropy"],
    shapes: { x: [7, 17], head: [classes, 17] },
    loss: (engine, { x, head }) => close(engine, engine.run(cast, { x }, { type: "f32" }).out, head),
  },
  "attention over one short sequence": attentionCase(1, 7, 1, 1, 16),
  "attention with grouped queries over two tiles": attentionCase(2, 65, 4, 2, 18),
  "attention with documents over four tiles": attentionCase(1, 203, 2, 1, 32, "documents"),
  "attention both ways within documents, with padding": attentionCase(2, 129, 2, 2, 32, "both ways"),
  "attention through a sliding window": attentionCase(1, 203, 2, 1, 16, "window"),
};

const backends = ["reference", ...supportedLevels()];

describe.each(backends)("gradients on %s", (name) => {
  it.each(Object.keys(cases))("are the slopes of the loss: %s", async (title) => {
    if (name !== "reference") process.env.TILTH_ISA = name;
    try {
      const backend = await createBackend(name === "reference" ? "reference" : "cpu", { threads: 2 });
      const { shapes, loss } = cases[title];
      const engine = new Engine(backend);
      const arena = new ParameterArena(
        backend,
        Object.entries(shapes).map(([parameter, shape]) => ({
          name: parameter,
          shape,
          initialization: { kind: "normal" as const, standardDeviation: 0.6 },
          decay: true,
        })),
      );
      arena.initialize(11);
      const parameters = Object.fromEntries(arena.parameters);
      const evaluate = () => engine.scope({ record: false }, () => engine.scalar(loss(engine, parameters)));
      await engine.scope({ record: true }, () => engine.backward(loss(engine, parameters)));

      // Along a random direction the slope is gradient · direction; central differences in f32 are good to some 1e-3.
      for (const parameter of arena.parameters.values()) {
        const start = await backend.read(parameter.tensor);
        const gradient = await backend.read(parameter.parameterGradient);
        const random = new Random(5);
        const direction = start.map(() => random.normal());
        // Half along the gradient, so that the slope is never small beside the rounding of the loss.
        const size = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) || 1;
        const [gradientSize, directionSize] = [size(gradient), size(direction)];
        const mixed = direction.map((value, i) => value / directionSize + gradient[i] / gradientSize);
        const step = 0.01;
        const losses: number[] = [];
        for (const sign of [1, -1]) {
          backend.write(
            parameter.tensor,
            start.map((value, i) => value + sign * step * mixed[i]),
          );
          losses.push(await evaluate());
        }
        backend.write(parameter.tensor, start);
        const slope = (losses[0] - losses[1]) / (2 * step);
        const expected = gradient.reduce((sum, value, i) => sum + value * mixed[i], 0);
        expect(Math.abs(slope - expected), `${parameter.name}: ${slope} against ${expected}`).toBeLessThan(
          2e-4 + 0.01 * Math.abs(expected),
        );
      }
      arena.dispose();
      backend.dispose();
    } finally {
      delete process.env.TILTH_ISA;
    }
  });
});

describe("the cases", () => {
  it("have every registered op", () => {
    const covered = new Set<string>(Object.values(cases).flatMap((one) => one.ops));
    expect(Object.keys(ops).filter((name) => !covered.has(name))).toEqual([]);
  });
});

describe("the engine", () => {
  it("refuses a loss as an input, and gives all memory of a scope back", async () => {
    const backend = await createBackend("reference");
    const engine = new Engine(backend);
    const head = () => engine.input(new Float32Array(classes * 4), [classes, 4]);
    const x = () => engine.input(new Float32Array(8), [2, 4]);
    await expect(
      engine.scope({ record: true }, () => engine.run(linear, { x: close(engine, x(), head()), weight: head() }, {})),
    ).rejects.toThrow("is a loss");
    engine.trim();
    expect(backend.memory().bytes).toBe(0);
  });
});
