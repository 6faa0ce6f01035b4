import type { AttentionShape, AttentionTensors, Kernels } from "../../backend.ts";
import { attentionPageTokens } from "../../paging.ts";
import { floats, integers, requireMatrix, spanning } from "./memory.ts";

/** Everything about one (sequence, head, query): where its rows are and which keys it sees. */
interface Query {
  readonly token: number;
  readonly head: number;
  readonly keyHead: number;
  /** Row of a key of the sequence. */
  keyRow(key: number): number;
  /** Visible keys [from, to) within the sequence. */
  readonly from: number;
  readonly to: number;
}

function* queries(tensors: AttentionTensors, shape: AttentionShape): Generator<Query> {
  const { sequences, queryLength, keyLength, heads, keyValueHeads, headSize, causal } = shape;
  requireMatrix(tensors.query, sequences * queryLength, heads * headSize, "attention: query");
  const pages = tensors.pages && integers(tensors.pages, "attention: pages");
  const keyRows = pages === undefined ? sequences * keyLength : tensors.key.shape[0];
  requireMatrix(tensors.key, keyRows, keyValueHeads * headSize, "attention: key");
  requireMatrix(tensors.value, keyRows, keyValueHeads * headSize, "attention: value");
  const perSequence = Math.ceil(keyLength / attentionPageTokens);
  const rowIn = (sequence: number) => (j: number) =>
    pages === undefined
      ? sequence * keyLength + j
      : pages[sequence * perSequence + Math.floor(j / attentionPageTokens)] * attentionPageTokens +
        (j % attentionPageTokens);
  requireMatrix(tensors.out, sequences * queryLength, heads * headSize, "attention: out");
  const visibleFrom = tensors.visibleFrom && integers(tensors.visibleFrom, "attention: visibleFrom");
  const visibleTo = tensors.visibleTo && integers(tensors.visibleTo, "attention: visibleTo");
  for (let sequence = 0; sequence < sequences; sequence++) {
    for (let head = 0; head < heads; head++) {
      const keyHead = Math.floor((head * keyValueHeads) / heads);
      for (let i = 0; i < queryLength; i++) {
        const token = sequence * queryLength + i;
        const last = causal ? i + keyLength - queryLength + 1 : keyLength;
        const from = Math.max(0, visibleFrom?.[token] ?? 0);
        const to = Math.min(last, visibleTo?.[token] ?? keyLength, keyLength);
        yield { token, head, keyHead, keyRow: rowIn(sequence), from, to };
      }
    }
  }
}

function score(query: Float32Array, at: number, key: Float32Array, keyAt: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += query[at + i] * key[keyAt + i];
  return sum;
}

export const attentions: Pick<Kernels, "attention" | "attentionBackward"> = {
  attention(tensors, shape) {
    const { headSize, scale } = shape;
    const { query, key, value, out } = tensors;
    const [q, k] = [spanning(query, "attention: query"), spanning(key, "attention: key")];
    const [v, to] = [spanning(value, "attention: value"), spanning(out, "attention: out")];
    const logSumExp = floats(tensors.logSumExp, "attention: logSumExp");
    const tokens = shape.sequences * shape.queryLength;
    const mixed = new Float64Array(headSize);
    for (const one of queries(tensors, shape)) {
      const queryAt = one.token * query.rowStride + one.head * headSize;
      const scores = new Float64Array(Math.max(0, one.to - one.from));
      let maximum = Number.NEGATIVE_INFINITY;
      for (let j = one.from; j < one.to; j++) {
        const keyAt = one.keyRow(j) * key.rowStride + one.keyHead * headSize;
        scores[j - one.from] = scale * score(q, queryAt, k, keyAt, headSize);
        maximum = Math.max(maximum, scores[j - one.from]);
      }
      let total = 0;
      mixed.fill(0);
      for (let j = one.from; j < one.to; j++) {
        const weight = Math.exp(scores[j - one.from] - maximum);
        const valueAt = one.keyRow(j) * value.rowStride + one.keyHead * headSize;
        total += weight;
        for (let i = 0; i < headSize; i++) mixed[i] += weight * v[valueAt + i];
      }
      const outAt = one.token * out.rowStride + one.head * headSize;
      for (let i = 0; i < headSize; i++) to[outAt + i] = total === 0 ? 0 : mixed[i] / total;
      logSumExp[one.head * tokens + one.token] = total === 0 ? 0 : maximum + Math.log(total);
    }
  },

  // With p the probabilities and D = gradient · out: ∂score = p · (gradient · value − D).
  attentionBackward(tensors, shape) {
    const { headSize, scale } = shape;
    const { query, key, value, out, gradient, queryGradient, keyGradient, valueGradient } = tensors;
    const [q, k, v] = [query, key, value].map((tensor) => spanning(tensor, "attentionBackward: input"));
    const [o, g] = [out, gradient].map((tensor) => spanning(tensor, "attentionBackward: output"));
    const into = [queryGradient, keyGradient, valueGradient];
    const [dq, dk, dv] = into.map((tensor) => spanning(tensor, "attentionBackward: gradient"));
    for (const [index, like] of [query, key, value].entries()) {
      requireMatrix(into[index], like.shape[0], like.shape[1], "attentionBackward: gradient");
      const data = spanning(into[index], "attentionBackward: gradient");
      for (let row = 0; row < like.shape[0]; row++) {
        data.fill(0, row * into[index].rowStride, row * into[index].rowStride + like.shape[1]);
      }
    }
    const logSumExp = floats(tensors.logSumExp, "attentionBackward: logSumExp");
    const tokens = shape.sequences * shape.queryLength;
    for (const one of queries(tensors, shape)) {
      const column = one.head * headSize;
      const keyColumn = one.keyHead * headSize;
      const queryAt = one.token * query.rowStride + column;
      const gradientAt = one.token * gradient.rowStride + column;
      const queryGradientAt = one.token * queryGradient.rowStride + column;
      const total = score(g, gradientAt, o, one.token * out.rowStride + column, headSize);
      for (let j = one.from; j < one.to; j++) {
        const row = one.keyRow(j);
        const keyAt = row * key.rowStride + keyColumn;
        const raw = scale * score(q, queryAt, k, keyAt, headSize);
        const probability = Math.exp(raw - logSumExp[one.head * tokens + one.token]);
        const change = score(g, gradientAt, v, row * value.rowStride + keyColumn, headSize) - total;
        const scoreGradient = scale * probability * change;
        for (let i = 0; i < headSize; i++) {
          dv[row * valueGradient.rowStride + keyColumn + i] += probability * g[gradientAt + i];
          dk[row * keyGradient.rowStride + keyColumn + i] += scoreGradient * q[queryAt + i];
          dq[queryGradientAt + i] += scoreGradient * k[keyAt + i];
        }
      }
    }
  },
};
