// Reproducible randomness: one generator per case, seeded by the run's seed and the case's number.

/** A seed for a run that nobody chose one for. */
export function freshSeed() {
  return Math.floor(Math.random() * 2 ** 32);
}

export class Random {
  #a;
  #b;
  #c;
  #counter = 1;

  /** The same numbers for the same two seeds, always. */
  constructor(seed, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = stream >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 16; i += 1) this.#next();
  }

  // Doty-Humphrey's sfc32: small, fast, and with two words of seed.
  #next() {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below) {
    return Math.floor((this.#next() / 2 ** 32) * below);
  }

  /** A whole number, both ends included. */
  between(low, high) {
    return low + this.below(high - low + 1);
  }

  chance(probability) {
    return this.#next() / 2 ** 32 < probability;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** What one of the functions makes, chosen by weight: `[[weight, make], …]`. */
  oneOf(choices) {
    let at = this.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, make] of choices) {
      if (at < weight) return make();
      at -= weight;
    }
    throw new Error("the weights do not add up");
  }

  /** A list of `low` to `high` things. */
  list(low, high, make) {
    return Array.from({ length: this.between(low, high) }, () => make());
  }
}
