/** The angles that rotary positions turn by (Su et al. 2021). */

/** The headSize/2 frequencies f = θ^(−2i/headSize), in f32 as the reference implementation has them: far angles depend on it. */
export function rotaryFrequencies(theta: number, headSize: number): Float32Array {
  return Float32Array.from({ length: headSize / 2 }, (_, i) => 1 / theta ** ((2 * i) / headSize));
}

/** Row p: cos of p·f for each of the frequencies f, then the sines, times `scale`: [context, headSize]. */
export function ropeAngles(frequencies: Float32Array, context: number, scale = 1): Float32Array {
  const half = frequencies.length;
  const table = new Float32Array(context * 2 * half);
  for (let position = 0; position < context; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]);
      table[position * 2 * half + i] = scale * Math.cos(angle);
      table[position * 2 * half + half + i] = scale * Math.sin(angle);
    }
  }
  return table;
}
