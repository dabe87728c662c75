/** Bytes in a block of text. Blocks are never moved: to double one buffer, everything would be in memory twice. */
const BLOCK = 1 << 20;

/** FNV-1a, mixed so that its lowest bits depend on all. */
function hashOf(uuid: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < uuid.length; i++) hash = Math.imul(hash ^ uuid.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/**
 * Numbers uuids from 0 on, in the order in which they first come. It is a hash table with open addressing; the uuids are stored
 * as bytes, each after its length. A Map takes 1.2 GB for ten million uuids, and its limit is 16.7 million.
 */
export class UuidIndex {
  #count = 0;
  /** The slots of the table: the number of a uuid + 1, or 0. Their count is a power of two; at most two thirds are in use. */
  #slots = new Uint32Array(1_024);
  /** The hash of each uuid, by its number. */
  #hashes = new Uint32Array(512);
  #places = new Uint32Array(512);
  readonly #blocks: Uint8Array[] = [];
  #end = 0;

  get size(): number {
    return this.#count;
  }

  /** @param uuid 1 to 64 characters of ASCII */
  numberOf(uuid: string): number {
    const hash = hashOf(uuid);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let found = this.#slots[slot]!; found !== 0; found = this.#slots[slot]!) {
      if (this.#hashes[found - 1] === hash && this.#isAt(this.#places[found - 1]!, uuid)) return found - 1;
      slot = (slot + 1) & mask;
    }
    const number = this.#count++;
    if (number === this.#hashes.length) this.#lengthen();
    this.#hashes[number] = hash;
    this.#places[number] = this.#append(uuid);
    this.#slots[slot] = number + 1;
    if (3 * this.#count > 2 * this.#slots.length) this.#widen();
    return number;
  }

  #isAt(place: number, uuid: string): boolean {
    const block = this.#blocks[Math.floor(place / BLOCK)]!;
    const at = place % BLOCK;
    if (block[at] !== uuid.length) return false;
    for (let i = 0; i < uuid.length; i++) if (block[at + 1 + i] !== uuid.charCodeAt(i)) return false;
    return true;
  }

  /** Stores a uuid; none lies across two blocks. @returns its place, in bytes over all blocks */
  #append(uuid: string): number {
    if (this.#end + 1 + uuid.length > this.#blocks.length * BLOCK) {
      this.#end = this.#blocks.length * BLOCK;
      this.#blocks.push(new Uint8Array(BLOCK));
    }
    const place = this.#end;
    const block = this.#blocks.at(-1)!;
    const at = place % BLOCK;
    block[at] = uuid.length;
    for (let i = 0; i < uuid.length; i++) block[at + 1 + i] = uuid.charCodeAt(i);
    this.#end += 1 + uuid.length;
    return place;
  }

  #lengthen(): void {
    const [hashes, places] = [this.#hashes, this.#places];
    this.#hashes = new Uint32Array(2 * hashes.length);
    this.#hashes.set(hashes);
    this.#places = new Uint32Array(2 * places.length);
    this.#places.set(places);
  }

  #widen(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let number = 0; number < this.#count; number++) {
      let slot = this.#hashes[number]! & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}
