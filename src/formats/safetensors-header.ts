/** The JSON header of a safetensors file: https://huggingface.co/docs/safetensors, checked as its reference reader does. */
import { messageOf, TilthError } from "../foundation/index.ts";

/** Bytes per element of each tensor type. */
export const elementBytes = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

export type SafetensorsType = keyof typeof elementBytes;

/** Where a tensor lies: byte offsets from the end of the header. */
export interface TensorRecord {
  readonly type: SafetensorsType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorRecord>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The reference implementation refuses longer headers. */
export const maximumHeaderBytes = 100_000_000;

/** The error for a file that is not what its name says, with the way out. */
export function damaged(path: string, problem: string, cause?: unknown): TilthError {
  return new TilthError(`${path} is not a valid safetensors file: ${problem}`, {
    remedy: "Copy or download the file again; if it was written here, use an older checkpoint.",
    cause,
  });
}

/**
 * Reads a header and checks it against the `dataBytes` that follow it.
 * @throws TilthError naming the file, the tensor, the value and what was expected
 */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(text);
  } catch (cause) {
    throw damaged(path, `its header is not JSON in UTF-8 (${messageOf(cause)})`, cause);
  }
  if (!text.startsWith("{") || !isObject(parsed)) throw damaged(path, "its header is not a JSON object");
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw damaged(path, `its header has the key ${JSON.stringify(duplicate)} twice`);

  const tensors = new Map<string, TensorRecord>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = parseMetadata(path, value);
    else tensors.set(name, parseRecord(path, name, value));
  }
  checkLayout(path, tensors, dataBytes);
  return { tensors, metadata };
}

function parseMetadata(path: string, value: unknown): Record<string, string> {
  if (!isObject(value)) throw damaged(path, "__metadata__ is not an object");
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== "string") {
      throw damaged(path, `__metadata__ ${JSON.stringify(key)} is ${JSON.stringify(item)}, not a string`);
    }
    entries.push([key, item]);
  }
  return Object.fromEntries(entries);
}

function parseRecord(path: string, name: string, value: unknown): TensorRecord {
  const label = `tensor ${JSON.stringify(name)}`;
  if (!isObject(value)) throw damaged(path, `${label} is not described by an object`);
  for (const key of Object.keys(value)) {
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets") {
      throw damaged(path, `${label} has the unknown key ${JSON.stringify(key)}`);
    }
  }
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isType(dtype)) {
    throw damaged(
      path,
      `${label} has the type ${JSON.stringify(dtype)}; known are ${Object.keys(elementBytes).join(", ")}`,
    );
  }
  if (!isSizes(shape)) throw damaged(path, `${label} has the shape ${JSON.stringify(shape)}, not a list of sizes`);
  if (!isSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw damaged(path, `${label} has the data_offsets ${JSON.stringify(offsets)}, not [begin, end]`);
  }
  const [begin, end] = offsets;
  const expected = shape.reduce((product, size) => product * size, 1) * elementBytes[dtype];
  if (end - begin !== expected) {
    throw damaged(
      path,
      `${label} occupies ${end - begin} bytes, but ${dtype} of shape [${shape.join(", ")}] takes ${expected}`,
    );
  }
  return { type: dtype, shape, begin, end };
}

function checkLayout(path: string, tensors: ReadonlyMap<string, TensorRecord>, dataBytes: number): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let expected = 0;
  for (const [name, { begin, end }] of inOrder) {
    if (begin !== expected) {
      const kind = begin < expected ? "overlaps the tensor before it" : "leaves a hole before it";
      throw damaged(path, `tensor ${JSON.stringify(name)} begins at byte ${begin} instead of ${expected}: it ${kind}`);
    }
    expected = end;
  }
  if (expected !== dataBytes) {
    const kind = dataBytes < expected ? "it is truncated" : "bytes are left over";
    throw damaged(path, `it holds ${dataBytes} bytes of tensors, its header states ${expected}: ${kind}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function isType(value: unknown): value is SafetensorsType {
  return typeof value === "string" && Object.hasOwn(elementBytes, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The first key that an object of this valid JSON text has twice; JSON.parse would silently keep the last. */
function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let lastString: string | undefined;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token !== ":") lastString = token;
    else if (lastString !== undefined) {
      const key: string = JSON.parse(lastString);
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
