import { assert } from '../lb/result.ts';

// The primitives of the generated codecs. They are called for each element of hot loops, so facts
// are constant texts and nothing is allocated. Host order is little-endian: the programs are built
// for little-endian targets.

export function u8(value: number, name: string): number {
  assert((value & 0xff) === value, name);
  return value;
}

export function u16(value: number, name: string): number {
  assert((value & 0xffff) === value, name);
  return value;
}

export function u32(value: number, name: string): number {
  assert(value >>> 0 === value, name);
  return value;
}

export function u64(value: bigint, name: string): bigint {
  assert(BigInt.asUintN(64, value) === value, name);
  return value;
}


export function putU16(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
}

export function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

export function putBe16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}

export function putBe32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

export function putU64(into: Uint8Array, at: number, value: bigint): void {
  putU32(into, at, Number(value & 0xffff_ffffn));
  putU32(into, at + 4, Number(value >> 32n));
}

export function u16At(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

export function u32At(bytes: Uint8Array, at: number): number {
  return (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0;
}

export function be16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function be32At(bytes: Uint8Array, at: number): number {
  return ((be16At(bytes, at) << 16) | be16At(bytes, at + 2)) >>> 0;
}

export function u64At(bytes: Uint8Array, at: number): bigint {
  return BigInt(u32At(bytes, at)) | (BigInt(u32At(bytes, at + 4)) << 32n);
}
