/**
 * The forms of scaling laws: loss as a function of parameters N and tokens D. Fits run on log N and log D measured from the
 * points' means, without which the coefficients and exponents are so correlated that no search converges well.
 */

/** A form, in the coordinates θ of the search: x = log N − mean, y = log D − mean. */
export interface LawForm {
  readonly name: FormName;
  /** As people write the law, in the order of `constants`. */
  readonly constantNames: readonly string[];
  /** Which constants must be positive and are compared by their logarithm. */
  readonly logarithmic: readonly boolean[];
  /** log of the predicted loss; fills `gradient` (∂/∂θ). */
  logLoss(theta: Float64Array, x: number, y: number, gradient: Float64Array): number;
  /** Starting points around the data: `logLosses` from which levels are taken. */
  starts(logLosses: readonly number[]): Float64Array[];
  /** The constants of the law from θ and the means of log N and log D. */
  constants(theta: Float64Array, meanLogN: number, meanLogD: number): number[];
  /** True where exponents have the sign of a law: loss falls with size and with tokens. */
  plausible(theta: Float64Array): boolean;
  /** Loss in nats from the constants. */
  loss(constants: readonly number[], parameters: number, tokens: number): number;
}

export type FormName = "chinchilla" | "kaplan";

/** L = E + A/N^α + B/D^β (Hoffmann et al. 2022, approach 3). θ = (log of A's term, log of B's term, log E, α, β). */
const chinchilla: LawForm = {
  name: "chinchilla",
  constantNames: ["E", "A", "B", "alpha", "beta"],
  logarithmic: [true, true, true, false, false],
  logLoss([a, b, e, alpha, beta], x, y, gradient) {
    const [first, second] = [a - alpha * x, b - beta * y];
    const largest = Math.max(first, second, e);
    const [p, q, r] = [Math.exp(first - largest), Math.exp(second - largest), Math.exp(e - largest)];
    const sum = p + q + r;
    gradient[0] = p / sum;
    gradient[1] = q / sum;
    gradient[2] = r / sum;
    gradient[3] = (-x * p) / sum;
    gradient[4] = (-y * q) / sum;
    return largest + Math.log(sum);
  },
  starts(logLosses) {
    const lowest = Math.min(...logLosses);
    const starts: Float64Array[] = [];
    for (const share of [0.3, 0.6, 0.85, 0.97])
      for (const ofRest of [0.1, 0.3, 0.5, 0.7, 0.9])
        for (const alpha of [0.1, 0.3, 0.5, 1, 1.5])
          for (const beta of [0.1, 0.3, 0.5, 1, 1.5]) {
            const rest = Math.exp(lowest) * (1 - share);
            starts.push(
              Float64Array.of(
                Math.log(rest * ofRest),
                Math.log(rest * (1 - ofRest)),
                lowest + Math.log(share),
                alpha,
                beta,
              ),
            );
          }
    return starts;
  },
  constants: ([a, b, e, alpha, beta], meanLogN, meanLogD) => [
    Math.exp(e),
    Math.exp(a + alpha * meanLogN),
    Math.exp(b + beta * meanLogD),
    alpha,
    beta,
  ],
  plausible: ([, , , alpha, beta]) => alpha > 0 && beta > 0,
  loss: ([e, a, b, alpha, beta], parameters, tokens) => e + a / parameters ** alpha + b / tokens ** beta,
};

/** L = ((Nc/N)^(αN/αD) + Dc/D)^αD (Kaplan et al. 2020, equation 1.5). θ = (log of N's term, of D's term, αN/αD, αD). */
const kaplan: LawForm = {
  name: "kaplan",
  constantNames: ["Nc", "Dc", "alphaN", "alphaD"],
  logarithmic: [true, true, false, false],
  logLoss([n, d, ratio, alphaD], x, y, gradient) {
    const [first, second] = [n - ratio * x, d - y];
    const largest = Math.max(first, second);
    const [p, q] = [Math.exp(first - largest), Math.exp(second - largest)];
    const sum = p + q;
    const logSum = largest + Math.log(sum);
    gradient[0] = (alphaD * p) / sum;
    gradient[1] = (alphaD * q) / sum;
    gradient[2] = (-alphaD * x * p) / sum;
    gradient[3] = logSum;
    return alphaD * logSum;
  },
  starts(logLosses) {
    const middle = logLosses.reduce((sum, one) => sum + one, 0) / logLosses.length;
    const starts: Float64Array[] = [];
    for (const alphaD of [0.03, 0.1, 0.2, 0.4])
      for (const ratio of [0.3, 0.8, 1.2, 2])
        for (const share of [0.1, 0.3, 0.5, 0.7, 0.9]) {
          const level = middle / alphaD;
          starts.push(Float64Array.of(level + Math.log(share), level + Math.log(1 - share), ratio, alphaD));
        }
    return starts;
  },
  constants: ([n, d, ratio, alphaD], meanLogN, meanLogD) => [
    Math.exp(n / ratio + meanLogN),
    Math.exp(d + meanLogD),
    ratio * alphaD,
    alphaD,
  ],
  plausible: ([, , ratio, alphaD]) => ratio > 0 && alphaD > 0,
  loss: ([nc, dc, alphaN, alphaD], parameters, tokens) =>
    ((nc / parameters) ** (alphaN / alphaD) + dc / tokens) ** alphaD,
};

const forms: Readonly<Record<FormName, LawForm>> = { chinchilla, kaplan };

export const formNames = Object.keys(forms) as FormName[];

/** The form of that name. */
export function formNamed(name: FormName): LawForm {
  return forms[name];
}
