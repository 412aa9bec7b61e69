const end = -1;

/** Slots in the order of their last use: a list through two arrays. */
export class Recency {
  #older = new Int32Array(8).fill(end);
  #newer = new Int32Array(8).fill(end);
  #listed = new Uint8Array(8);
  #oldest = end;
  #newest = end;

  /** The slot is the newest now. */
  use(slot: number): void {
    if (slot === this.#newest) return;
    this.forget(slot);
    if (slot >= this.#older.length) this.#widen(slot);
    this.#listed[slot] = 1;
    this.#older[slot] = this.#newest;
    this.#newer[slot] = end;
    if (this.#newest === end) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  forget(slot: number): void {
    if (this.#listed[slot] !== 1) return;
    const older = this.#older[slot] ?? end;
    const newer = this.#newer[slot] ?? end;
    if (older === end) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === end) this.#newest = older;
    else this.#older[newer] = older;
    this.#listed[slot] = 0;
  }

  oldest(): number | undefined {
    return this.#oldest === end ? undefined : this.#oldest;
  }

  #widen(slot: number): void {
    const length = Math.max(slot + 1, this.#older.length * 2);
    const widened = (old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const wide = new Int32Array(length).fill(end);
      wide.set(old);
      return wide;
    };
    this.#older = widened(this.#older);
    this.#newer = widened(this.#newer);
    const listed = new Uint8Array(length);
    listed.set(this.#listed);
    this.#listed = listed;
  }
}
