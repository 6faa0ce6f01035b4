/**
 * The contract between ops and the machine. A backend owns memory (opaque `Storage`), moves data in and out on request,
 * and fills in one table of kernels. Ops never look at data; whatever needs a number on the host awaits `read`.
 *
 * All kernels write into tensors that the caller allocated. Unless a line says "accumulates", outputs are overwritten.
 * Tensors are f32 and contiguous unless named otherwise; ids, targets and positions are i32. "Numbers" are f32, or bf16 in a
 * backend of that precision: kernels compute with them in f32 and round once, to nearest even, when they store them.
 */
import type { Storage, Tensor } from "./tensor.ts";

/**
 * What the operands of matrix products (`matmul`, `attention`, `headCrossEntropy`, `muon`) are rounded to before they
 * multiply: f32, or bfloat16 (to nearest even). It is also the type in which ops keep activations; parameters, the residual
 * stream, sums, softmax, statistics of norms, losses and optimizer state are f32 in both. Products of a few rows, which memory
 * bounds, may multiply in f32 always; the reference rounds no operand of attention.
 */
export type Precision = "f32" | "bf16";

export interface Backend {
  /** The registry's name: `reference`, `cpu`, … */
  readonly name: string;
  /** One line for people, e.g. `cpu (avx512, 2 threads)`. */
  readonly description: string;
  readonly threads: number;
  readonly precision: Precision;
  /** Whether `write` rounds into bf16 tensors, and `embedding` and `matmul` (as b, transposed) take them as weights. */
  readonly storesBfloat16: boolean;
  readonly kernels: Kernels;

  /** Memory of `bytes` bytes, aligned for the kernels, with unspecified content. Throws TilthError when there is none. */
  allocate(bytes: number): Storage;
  /** Gives memory back. Using a tensor over it afterwards is an error of the caller. */
  release(storage: Storage): void;
  /** Copies host data into a contiguous f32 or i32 tensor; the lengths must agree. */
  write(tensor: Tensor, data: Float32Array | Int32Array): void;
  /** Copies a contiguous tensor to the host after all work queued before it. */
  read(tensor: Tensor): Promise<Float32Array>;
  /** As `read`, for i32 tensors. */
  readIntegers(tensor: Tensor): Promise<Int32Array>;
  /**
   * Where a contiguous tensor's first element lies in this process' memory (optional: only where memory is the host's), for
   * communication that moves it without a copy.
   */
  hostAddress?(tensor: Tensor): number;
  /** Seconds spent inside kernels since the backend was made (optional: 0 where it is not measured). */
  kernelSeconds(): number;
  /** Measured peak of multiply-adds in this precision in FLOP/s, with all threads: the denominator of MFU. Takes about 0.3 s. */
  measurePeakFlops(): number;
  /** Seconds that it takes to start all threads on a kernel and to see them end (optional). */
  measureLaunchSeconds?(): number;
  /** Bytes now allocated, and the most that ever were. */
  memory(): { readonly bytes: number; readonly peakBytes: number };
  /** Stops threads and frees what is left. */
  dispose(): void;
}

/** Where each token may look. All lengths are in tokens, the strides in the tensors. */
export interface AttentionShape {
  readonly sequences: number;
  /** Queries of one sequence. */
  readonly queryLength: number;
  /** Keys of one sequence. */
  readonly keyLength: number;
  readonly heads: number;
  /** Key/value heads; `heads` is a multiple of it, and query head h reads key/value head ⌊h · keyValueHeads / heads⌋. */
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Factor on the scores, usually 1/√headSize. */
  readonly scale: number;
  /** Query i of a sequence stands at key position i + keyLength − queryLength and sees keys up to there. */
  readonly causal: boolean;
}

/** Query, key and value may be column views of one packed tensor (`rowStride` is honoured on all of them). */
export interface AttentionTensors {
  /** [sequences · queryLength, heads · headSize] */
  readonly query: Tensor;
  /** [sequences · keyLength, keyValueHeads · headSize] */
  readonly key: Tensor;
  /** [sequences · keyLength, keyValueHeads · headSize] */
  readonly value: Tensor;
  /** [sequences · queryLength, heads · headSize] */
  readonly out: Tensor;
  /** [heads, sequences · queryLength]: log Σ exp of the scaled, masked scores; 0 for a query that sees no key. */
  readonly logSumExp: Tensor;
  /**
   * Document mask, i32 [sequences · queryLength]: the first and one past the last key position, within the sequence,
   * that the query may see. Both or neither are given. A query whose range is empty yields zeros.
   */
  readonly visibleFrom?: Tensor;
  readonly visibleTo?: Tensor;
  /**
   * i32 [sequences · ⌈keyLength / attentionPageTokens⌉]: where each sequence's keys and values lie. Page p holds the rows from
   * p · attentionPageTokens on of `key` and `value`, which then are of any number of rows. `attention` only.
   */
  readonly pages?: Tensor;
}

export interface AdamWSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** The step being taken, from 1: for bias correction. */
  readonly step: number;
  /** Gradients are scaled by min(1, maximumNorm / gradientNorm); Infinity switches clipping off. */
  readonly maximumNorm: number;
}

export interface MuonSettings {
  readonly learningRate: number;
  /** Share of the old momentum kept. */
  readonly momentum: number;
  readonly weightDecay: number;
  /** Factor on the orthogonalised update: its singular values are near 1. */
  readonly scale: number;
  /** As AdamW's. */
  readonly maximumNorm: number;
}

/** GELU by the error function, by its tanh approximation, CLIP's x · sigmoid(1.702 x), and tanh itself. */
export type ActivationKind = "gelu" | "gelu-tanh" | "quick-gelu" | "tanh";

/** Which of packed rows' heads are normalised (see Kernels.headNorm). */
export interface HeadNormShape {
  readonly queryHeads: number;
  readonly keyHeads: number;
  readonly headSize: number;
}

export interface Kernels {
  /** out[:] = value. out: numbers. */
  fill(out: Tensor, value: number): void;
  /** out = from, row by row (row strides honoured on both sides): numbers, converted where the types differ, or i32. */
  copy(out: Tensor, from: Tensor): void;
  /** out = a + b, each numbers of its own type. `out` may be `a` or `b`. */
  add(out: Tensor, a: Tensor, b: Tensor): void;
  /** out = x · factor. `out` may be `x`. */
  scale(out: Tensor, x: Tensor, factor: number): void;
  /** out[0] = Σ x, summed in f64 in an order fixed by the number of threads. */
  sum(out: Tensor, x: Tensor): void;

  /**
   * out [m, n] = op(a) · op(b), where op transposes if asked: a is [m, k] or [k, m] transposed, b is [k, n] or [n, k].
   * With `accumulate`, adds to out; `bias` [n] is added to every row. All three are numbers, each of its own type; row strides are
   * honoured on all.
   * Bound: 2·m·n·k FLOPs.
   */
  matmul(
    out: Tensor,
    a: Tensor,
    b: Tensor,
    options: {
      readonly transposeA?: boolean;
      readonly transposeB?: boolean;
      readonly accumulate?: boolean;
      readonly bias?: Tensor;
    },
  ): void;

  /** out[t] = table[ids[t]]. out: [tokens, width], table: [vocabulary, width], ids: i32 [tokens] within the vocabulary. */
  embedding(out: Tensor, table: Tensor, ids: Tensor): void;
  /** tableGradient[ids[t]] += gradient[t], in token order (accumulates). */
  embeddingBackward(tableGradient: Tensor, gradient: Tensor, ids: Tensor): void;

  /**
   * sum = x + delta (both given or neither; `sum` may be `x`), out = s / √(mean(s²) + ε) · weight with s = sum or x.
   * x, sum: [rows, width]; delta, out: numbers, [rows, width]; weight: [width]; inverseRms: [rows], kept for backward.
   */
  rmsNorm(tensors: {
    out: Tensor;
    inverseRms: Tensor;
    x: Tensor;
    weight: Tensor;
    delta?: Tensor;
    sum?: Tensor;
    epsilon: number;
  }): void;
  /**
   * xGradient = ∂out/∂s · gradient (+ residualGradient, the gradient that reaches s past the norm, if given; it may be
   * the same tensor as xGradient). weightGradient accumulates. x is s of the forward pass; gradient: numbers.
   */
  rmsNormBackward(tensors: {
    xGradient: Tensor;
    weightGradient: Tensor;
    gradient: Tensor;
    x: Tensor;
    weight: Tensor;
    inverseRms: Tensor;
    residualGradient?: Tensor;
  }): void;

  /**
   * sum = x + delta (both given or neither; `sum` may be `x`), out = (s − mean(s)) / √(var(s) + ε) · weight + bias with s = sum
   * or x (Ba et al. 2016). x, sum: [rows, width]; delta, out: numbers, [rows, width]; weight, bias: [width]; mean,
   * inverseDeviation: [rows], kept for backward.
   */
  layerNorm(tensors: {
    out: Tensor;
    mean: Tensor;
    inverseDeviation: Tensor;
    x: Tensor;
    weight: Tensor;
    bias: Tensor;
    delta?: Tensor;
    sum?: Tensor;
    epsilon: number;
  }): void;
  /** As `rmsNormBackward`, its types too; weightGradient and biasGradient accumulate. */
  layerNormBackward(tensors: {
    xGradient: Tensor;
    weightGradient: Tensor;
    biasGradient: Tensor;
    gradient: Tensor;
    x: Tensor;
    weight: Tensor;
    mean: Tensor;
    inverseDeviation: Tensor;
    residualGradient?: Tensor;
  }): void;

  /**
   * RMS norm of each head of packed rows (QK-norm: Henry et al. 2020; Qwen3): the first `queryHeads` heads times queryWeight,
   * the next `keyHeads` times keyWeight, further columns copied. x, out: numbers of one type, [tokens, ≥ heads · headSize], weights: [headSize],
   * inverseRms: [tokens, queryHeads + keyHeads], kept for backward.
   */
  headNorm(
    tensors: { out: Tensor; inverseRms: Tensor; x: Tensor; queryWeight: Tensor; keyWeight: Tensor; epsilon: number },
    shape: HeadNormShape,
  ): void;
  /** xGradient is overwritten, the gradients of the weights accumulate; x, gradient and xGradient: numbers of one type. */
  headNormBackward(
    tensors: {
      xGradient: Tensor;
      queryWeightGradient: Tensor;
      keyWeightGradient: Tensor;
      gradient: Tensor;
      x: Tensor;
      queryWeight: Tensor;
      keyWeight: Tensor;
      inverseRms: Tensor;
    },
    shape: HeadNormShape,
  ): void;

  /**
   * Rotary position embedding, half-split pairs (i, i + headSize/2) as Llama's in Hugging Face (Su et al. 2021).
   * x, out: [tokens, ≥ heads · headSize]: the first `heads` heads are rotated, further columns are copied unchanged.
   * table: [positions, headSize], row p = cos of the headSize/2 angles, then their sines. positions: i32 [tokens].
   * `inverse` rotates back: the backward pass. `out` may be `x`. Row strides are honoured; both are numbers of one type.
   */
  rope(
    out: Tensor,
    x: Tensor,
    table: Tensor,
    positions: Tensor,
    heads: number,
    headSize: number,
    inverse: boolean,
  ): void;

  /**
   * Attention without a [queryLength, keyLength] matrix in memory (Dao et al. 2022). Fills out and logSumExp.
   * Query, key, value and out are numbers of one type.
   */
  attention(tensors: AttentionTensors, shape: AttentionShape): void;
  /**
   * Gradients of attention from its inputs and outputs, scores recomputed tile by tile. Overwrites the three gradients,
   * which have the shapes of query, key and value (row strides honoured) and, like `gradient`, their type.
   */
  attentionBackward(
    tensors: AttentionTensors & {
      readonly gradient: Tensor;
      readonly queryGradient: Tensor;
      readonly keyGradient: Tensor;
      readonly valueGradient: Tensor;
    },
    shape: AttentionShape,
  ): void;

  /** out = f(x), element by element. `out` may be `x`; both are numbers of one type. */
  activation(out: Tensor, x: Tensor, kind: ActivationKind): void;
  /** xGradient = gradient · f′(x). `xGradient` may be `gradient`; all three are numbers of one type. */
  activationBackward(xGradient: Tensor, gradient: Tensor, x: Tensor, kind: ActivationKind): void;

  /**
   * Dropout (Srivastava et al. 2014): elements become 0 with that probability, the others x / (1 − probability). Which ones
   * depends on (key, index of the element) alone, so that the same call on a gradient is the backward pass. `out` may be `x`; both
   * are numbers of one type.
   * @param key an integer in [0, 2³²)
   */
  dropout(out: Tensor, x: Tensor, probability: number, key: number): void;

  /** out[r] = mean of rows [from[r], to[r]) of x; zeros for an empty range. from, to: i32 [ranges], out: [ranges, width]. */
  meanRows(out: Tensor, x: Tensor, from: Tensor, to: Tensor): void;
  /** xGradient[row] += gradient[r] / (to[r] − from[r]) for the rows of range r (accumulates). */
  meanRowsBackward(xGradient: Tensor, gradient: Tensor, from: Tensor, to: Tensor): void;

  /**
   * out = silu(gate) · up (Shazeer 2020). gateUp: [rows, 2 · width] holds gate, then up; out: [rows, width]. Numbers of one
   * type.
   */
  swiglu(out: Tensor, gateUp: Tensor): void;
  /** gateUpGradient from gradient [rows, width] and gateUp; numbers of one type. */
  swigluBackward(gateUpGradient: Tensor, gradient: Tensor, gateUp: Tensor): void;

  /** out = gelu(gate) · up with the exact GELU (Shazeer 2020); otherwise as `swiglu`. */
  geglu(out: Tensor, gateUp: Tensor): void;
  /** As `swigluBackward`. */
  gegluBackward(gateUpGradient: Tensor, gradient: Tensor, gateUp: Tensor): void;

  /**
   * Output head and softmax cross-entropy in one, chunked over tokens and vocabulary: never holds all logits.
   * logits = x·weightᵀ (+ bias), losses[t] = logsumexp(logits[t]) − logits[t][targets[t]], in nats, plus zLoss ·
   * logsumexp(logits[t])² if that is given (z-loss, Chowdhery et al. 2022); 0 where targets[t] < 0
   * (ignored). gaps[t] = the highest of logits[t] − logits[t][targets[t]]: 0 where the target is the likeliest. x: numbers, [tokens, width], weight: [vocabulary, width], bias: [vocabulary], targets: i32 [tokens],
   * losses, gaps: [tokens]. If `gradients` are given, they get those of scale · Σ losses: x is overwritten, weight overwritten or
   * added to, bias added to.
   */
  headCrossEntropy(tensors: {
    losses: Tensor;
    gaps?: Tensor;
    x: Tensor;
    weight: Tensor;
    bias?: Tensor;
    targets: Tensor;
    zLoss?: number;
    gradients?: {
      readonly x: Tensor;
      readonly weight: Tensor;
      readonly bias?: Tensor;
      readonly scale: number;
      readonly accumulateWeight: boolean;
    };
  }): void;

  /**
   * Images as rows of patches. pixels: [images, channels, height, width], height and width multiples of `patch`;
   * out: [images · (leading + patches of an image), channels · patch²], row by row of the grid, a patch channel by channel:
   * the order of a convolution's weights. `leading` rows of zeros come before each image's patches.
   */
  patches(out: Tensor, pixels: Tensor, patch: number, leading: number): void;

  /** out[r] = x[r] + table[r mod period], table: [period, width]. `out` may be `x`. Row strides honoured on out and x. */
  addRows(out: Tensor, x: Tensor, table: Tensor): void;
  /** tableGradient[r mod period] += gradient[r], in the order of rows (accumulates). gradient: numbers, its row stride honoured. */
  addRowsBackward(tableGradient: Tensor, gradient: Tensor): void;

  /** out = x / max(‖x‖, 1e-12), row by row. x, out: [rows, width]; inverseNorm: [rows], kept for backward. */
  l2Normalize(out: Tensor, inverseNorm: Tensor, x: Tensor): void;
  /** xGradient from gradient and the forward's `out`, all [rows, width]. Rows of zeros get no true gradient. */
  l2NormalizeBackward(xGradient: Tensor, gradient: Tensor, out: Tensor, inverseNorm: Tensor): void;

  /**
   * Contrastive loss over pairs: logit (i, j) = e^logitScale · images[i] · texts[j] (+ logitBias). Without a bias CLIP's mean of
   * the cross-entropies of rows and of columns (Radford et al. 2021); with one SigLIP's −Σ log σ(±logit) / pairs (Zhai et al.
   * 2023). images, texts: [pairs, width]; loss, logitScale, logitBias: [1]. If the gradients are given, they are overwritten
   * with those of the loss. Logits go in blocks of rows; bound: 6 · pairs² · width FLOPs.
   */
  contrastiveLoss(tensors: {
    loss: Tensor;
    images: Tensor;
    texts: Tensor;
    logitScale: Tensor;
    logitBias?: Tensor;
    gradients?: { images: Tensor; texts: Tensor; logitScale: Tensor; logitBias?: Tensor };
  }): void;

  /** out[0] = √Σ x² over the tensor, summed in f64 in an order fixed by the number of threads. */
  norm(out: Tensor, x: Tensor): void;
  /**
   * AdamW (Loshchilov & Hutter 2019) with global-norm clipping, one pass over memory; f32 parameters and moments:
   * g = gradient · clip; m, v updated; p −= rate · (m̂ / (√v̂ + ε) + decay · p). As PyTorch: decay multiplies first.
   * gradientNorm: [1], from `norm` over the whole gradient arena. A norm that is not finite leaves all unchanged.
   */
  adamW(
    tensors: { parameters: Tensor; gradients: Tensor; firstMoment: Tensor; secondMoment: Tensor; gradientNorm: Tensor },
    settings: AdamWSettings,
  ): void;

  /**
   * Muon (Jordan et al. 2024) on one contiguous matrix: g = gradient · clip; momentum = μ·momentum + (1 − μ)·g;
   * u = Newton–Schulz(μ·momentum + (1 − μ)·g), five iterations in f32; p = p·(1 − rate·decay) − rate·scale·u.
   * A norm that is not finite leaves all unchanged. Bound: about 30·rows·width·min(rows, width) FLOPs.
   */
  muon(
    tensors: { parameters: Tensor; gradients: Tensor; momentum: Tensor; gradientNorm: Tensor },
    settings: MuonSettings,
  ): void;
}
