/**
 * Softmax does not change with a key's bias: its gradient is zero but for rounding, out of which Adam makes steps of full
 * size in a random direction. All other elements are compared.
 */
export function withoutKeyBias(name: string, data: Float32Array): Float32Array {
  if (/(k_proj|key)\.bias$/.test(name)) return new Float32Array(0);
  if (!/(c_attn\.bias|in_proj_bias)$/.test(name)) return data;
  const third = data.length / 3;
  return Float32Array.from([...data.subarray(0, third), ...data.subarray(2 * third)]);
}
