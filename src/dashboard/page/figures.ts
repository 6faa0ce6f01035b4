/** Figures as people read them. */

/** Up to four digits, with k, M, G, T for large ones. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  for (const [unit, scale] of [
    ["T", 1e12],
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e4],
  ] as const) {
    if (size >= scale) return `${Number((value / (unit === "k" ? 1e3 : scale)).toPrecision(4))}${unit}`;
  }
  if (size !== 0 && size < 1e-3) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

/** A share as per cent. */
export function percent(value: number): string {
  return `${Number((value * 100).toPrecision(3))} %`;
}

/** `headShare` → "head share". */
export function words(name: string): string {
  return name
    .replace(/[_/]/g, " ")
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .toLowerCase();
}
