/** A body in the assembler's language, r0 afterwards as 64 bits, and functions that it calls. */
export type Row = readonly [body: string, r0: string, functions?: string];

const minimum64 = '0x8000000000000000';
const minimum32 = '0x80000000';

/**
 * Rows that the kernel gets wrong. RFC 9669 section 5.3 extends what a cmpxchg leaves in r0 by
 * zeroes; x86 keeps the upper half where the exchange comes about, so the verifier puts an
 * extension behind it, and that of Linux 6.18 forgets it on some paths through a loop. Found by
 * random programs, seed 199 of which this is what is left.
 */
export const unlikeKernel = [
  [
    'r0 = 0xdeadbeefcafebabe ll; r2 = 1; r3 = r0; *(u64*)(r10 - 8) = r2; *(u64*)(r10 - 24) = r3;'
      + ' *(u64*)(r10 - 32) = r3; r8 = 4; again:; cmpxchg *(u32*)(r10 - 24) r3;'
      + ' lock *(u32*)(r10 - 8) += r2; if w0 > -2041940121 goto p2; xchg *(u32*)(r10 - 32) r0; p2:;'
      + ' r8 -= 1; if r8 != 0 goto again',
    '0xcafebabe',
  ],
] as const;

/** Groups of RFC 9669 section 2.4; v4 forms are marked as such. */
export const rows: Readonly<Record<string, readonly Row[]>> = {
  base32: [
    ['w0 = -1', '0xffffffff'],
    ['r0 = -1; w0 = w0', '0xffffffff'],
    ['w0 = -1; w0 += 1', '0'],
    ['w0 = 0; w0 -= 1', '0xffffffff'],
    [`w0 = ${minimum32}; w0 = -w0`, minimum32],
    ['w0 = 1; w0 = -w0', '0xffffffff'],
    ['r0 = -1; w0 &= 0x0f', '0xf'],
    ['r0 = -1; w0 |= 0', '0xffffffff'],
    ['r0 = -1; w0 ^= -1', '0'],
    ['w0 = 1; w0 <<= 31', minimum32],
    ['w0 = 1; w1 = 33; w0 <<= w1', '2'],   // masked to 5 bits
    [`w0 = ${minimum32}; w0 >>= 31`, '1'],
    [`w0 = ${minimum32}; w0 s>>= 31`, '0xffffffff'],
    [`w0 = ${minimum32}; w1 = 32; w0 s>>= w1`, minimum32],
    [`r0 = ${minimum64} ll; w0 s>>= 4`, '0'],   // the upper half plays no part
    ['r0 = 0x1122334455667788 ll; r0 = be16 r0', '0x8877'],
    ['r0 = 0x1122334455667788 ll; r0 = be32 r0', '0x88776655'],
    ['r0 = 0x1122334455667788 ll; r0 = be64 r0', '0x8877665544332211'],
    ['r0 = 0x1122334455667788 ll; r0 = le16 r0', '0x7788'],
    ['r0 = 0x1122334455667788 ll; r0 = le32 r0', '0x55667788'],
    ['r0 = 0x1122334455667788 ll; r0 = le64 r0', '0x1122334455667788'],
    ['r0 = -1; r0 = be16 r0', '0xffff'],
  ],
  base64: [
    ['r0 = -1', '0xffffffffffffffff'],
    ['r0 = 0x7fffffffffffffff ll; r0 += 1', minimum64],
    [`r0 = ${minimum64} ll; r0 = -r0`, minimum64],
    [`r0 = ${minimum64} ll; r0 -= 1`, '0x7fffffffffffffff'],
    ['r0 = 0; r0 -= 1', '0xffffffffffffffff'],
    ['r0 = 1; r0 <<= 63', minimum64],
    ['r0 = 1; r1 = 65; r0 <<= r1', '2'],   // masked to 6 bits
    ['r0 = 1; r1 = -1; r0 <<= r1', minimum64],
    [`r0 = ${minimum64} ll; r0 s>>= 63`, '0xffffffffffffffff'],
    [`r0 = ${minimum64} ll; r1 = 64; r0 >>= r1`, minimum64],
    ['r0 = -1; r0 &= -2', '0xfffffffffffffffe'],   // the immediate is extended with its sign
    [`r0 = 0; r0 |= ${minimum32}`, '0xffffffff80000000'],
    ['r0 = -1; r0 ^= 1', '0xfffffffffffffffe'],
    [`r0 = ${minimum64} ll`, minimum64],
    ['r0 = 0x00000000ffffffff ll', '0xffffffff'],
  ],
  divmul32: [
    ['w0 = 7; w1 = 0; w0 /= w1', '0'],
    ['r0 = -1; w1 = 0; w0 %= w1', '0xffffffff'],   // the target stays, its upper half does not
    ['r0 = 0x700000007 ll; r1 = 0x500000002 ll; w0 /= w1', '3'],
    ['w0 = -1; w0 /= 2', '0x7fffffff'],
    ['w0 = -1; w0 %= 10', '5'],
    [`w0 = ${minimum32}; w1 = -1; w0 /= w1`, '0'],
    [`w0 = ${minimum32}; w1 = -1; w0 %= w1`, minimum32],
    ['w0 = -1; w0 *= -1', '1'],
    ['w0 = 0x10000; w0 *= 0x10000', '0'],
  ],
  divmul64: [
    ['r0 = 7; r1 = 0; r0 /= r1', '0'],
    ['r0 = -1; r1 = 0; r0 %= r1', '0xffffffffffffffff'],
    ['r0 = -1; r0 /= 2', '0x7fffffffffffffff'],
    [`r0 = ${minimum64} ll; r1 = -1; r0 /= r1`, '0'],
    [`r0 = ${minimum64} ll; r1 = -1; r0 %= r1`, minimum64],
    ['r0 = -1; r0 %= 10', '5'],
    ['r0 = 0x100000000 ll; r1 = r0; r0 *= r1', '0'],
    ['r0 = -3; r0 *= 5', '0xfffffffffffffff1'],
  ],
  signed: [   // -mcpu=v4
    ['w0 = -7; w0 s/= 2', '0xfffffffd'],
    ['w0 = -7; w0 s%= 2', '0xffffffff'],
    ['r0 = -7; r0 s/= 2', '0xfffffffffffffffd'],
    ['r0 = -7; r0 s%= 3', '0xffffffffffffffff'],
    ['r0 = -7; r1 = 0; r0 s/= r1', '0'],
    ['r0 = -7; r1 = 0; r0 s%= r1', '0xfffffffffffffff9'],
    [`r0 = ${minimum64} ll; r1 = -1; r0 s/= r1`, minimum64],
    [`r0 = ${minimum64} ll; r1 = -1; r0 s%= r1`, '0'],
    [`w0 = ${minimum32}; w1 = -1; w0 s/= w1`, minimum32],
    [`w0 = ${minimum32}; w1 = -1; w0 s%= w1`, '0'],
    ['r1 = 0x80; r0 = (s8)r1', '0xffffffffffffff80'],
    ['r1 = 0x80; w0 = (s8)w1', '0xffffff80'],
    ['r1 = 0x18000; r0 = (s16)r1', '0xffffffffffff8000'],
    ['r1 = 0x180000000 ll; r0 = (s32)r1', '0xffffffff80000000'],
    ['r0 = 0x1122334455667788 ll; r0 = bswap16 r0', '0x8877'],
    ['r0 = 0x1122334455667788 ll; r0 = bswap64 r0', '0x8877665544332211'],
    ['r1 = -1; *(u64*)(r10 - 8) = r1; r0 = *(s8*)(r10 - 8)', '0xffffffffffffffff'],
    ['r1 = 0x8000; *(u64*)(r10 - 8) = r1; r0 = *(s16*)(r10 - 8)', '0xffffffffffff8000'],
    ['w1 = -2; *(u64*)(r10 - 8) = r1; r0 = *(s32*)(r10 - 8)', '0xfffffffffffffffe'],
    ['if r6 != 0 goto other; r0 = 1; gotol far; other:; r0 = 5; far:; r0 += 1', '2'],
  ],
  atomic32: [
    ['r1 = -1; *(u64*)(r10 - 8) = r1; r2 = 1; lock *(u32*)(r10 - 8) += r2; r0 = *(u64*)(r10 - 8)', '0xffffffff00000000'],
    ['r1 = -1; *(u64*)(r10 - 8) = r1; r0 = 2; fetch *(u32*)(r10 - 8) += r0', '0xffffffff'],
    ['r1 = -1; *(u64*)(r10 - 8) = r1; r2 = 0; lock *(u32*)(r10 - 8) &= r2; r0 = *(u64*)(r10 - 8)', '0xffffffff00000000'],
    ['r1 = 0; *(u64*)(r10 - 8) = r1; r2 = -1; lock *(u32*)(r10 - 4) |= r2; r0 = *(u64*)(r10 - 8)', '0xffffffff00000000'],
    ['r1 = 0; *(u64*)(r10 - 8) = r1; r2 = -1; fetch *(u32*)(r10 - 8) ^= r2; r0 = *(u64*)(r10 - 8)', '0xffffffff'],
    ['r1 = -1; *(u64*)(r10 - 8) = r1; r0 = 5; xchg *(u32*)(r10 - 8) r0', '0xffffffff'],
    ['r1 = 7; *(u64*)(r10 - 8) = r1; r0 = 0x100000007 ll; r2 = 9; cmpxchg *(u32*)(r10 - 8) r2; r0 = *(u64*)(r10 - 8)', '9'],
    ['r1 = 7; *(u64*)(r10 - 8) = r1; r0 = 8; r2 = 9; cmpxchg *(u32*)(r10 - 8) r2; r1 = *(u64*)(r10 - 8); r0 <<= 8; r0 |= r1', '0x707'],
  ],
  atomic64: [
    ['r1 = -1; *(u64*)(r10 - 8) = r1; r2 = 1; lock *(u64*)(r10 - 8) += r2; r0 = *(u64*)(r10 - 8)', '0'],
    ['r1 = 41; *(u64*)(r10 - 8) = r1; r0 = 1; fetch *(u64*)(r10 - 8) += r0', '41'],
    ['r1 = 0xff; *(u64*)(r10 - 8) = r1; r2 = 0x0f; fetch *(u64*)(r10 - 8) &= r2; r0 = *(u64*)(r10 - 8); r0 <<= 8; r0 |= r2', '0xfff'],
    ['r1 = 1; *(u64*)(r10 - 8) = r1; r2 = -1; lock *(u64*)(r10 - 8) ^= r2; r0 = *(u64*)(r10 - 8)', '0xfffffffffffffffe'],
    [`r1 = 1; *(u64*)(r10 - 8) = r1; r2 = ${minimum64} ll; lock *(u64*)(r10 - 8) |= r2; r0 = *(u64*)(r10 - 8)`, '0x8000000000000001'],
    [`r1 = ${minimum64} ll; *(u64*)(r10 - 8) = r1; r0 = 1; xchg *(u64*)(r10 - 8) r0`, minimum64],
    ['r1 = 7; *(u64*)(r10 - 8) = r1; r0 = 7; r2 = 9; cmpxchg *(u64*)(r10 - 8) r2; r1 = *(u64*)(r10 - 8); r0 <<= 8; r0 |= r1', '0x709'],
    ['r1 = 7; *(u64*)(r10 - 8) = r1; r0 = 0x100000007 ll; r2 = 9; cmpxchg *(u64*)(r10 - 8) r2', '7'],
  ],
  memory: [
    ['r1 = 0x1122334455667788 ll; *(u64*)(r10 - 8) = r1; r0 = *(u8*)(r10 - 8)', '0x88'],
    ['r1 = 0x1122334455667788 ll; *(u64*)(r10 - 8) = r1; r0 = *(u16*)(r10 - 6)', '0x5566'],
    ['r1 = 0x1122334455667788 ll; *(u64*)(r10 - 8) = r1; r0 = *(u32*)(r10 - 4)', '0x11223344'],
    ['r1 = 0; *(u64*)(r10 - 8) = r1; *(u8*)(r10 - 8) = -1; r0 = *(u64*)(r10 - 8)', '0xff'],
    ['r1 = 0; *(u64*)(r10 - 8) = r1; *(u16*)(r10 - 6) = -2; r0 = *(u64*)(r10 - 8)', '0xfffe0000'],
    ['r1 = 0; *(u64*)(r10 - 8) = r1; *(u32*)(r10 - 4) = -1; r0 = *(u64*)(r10 - 8)', '0xffffffff00000000'],
    ['*(u64*)(r10 - 8) = -2; r0 = *(u64*)(r10 - 8)', '0xfffffffffffffffe'],
    ['r1 = -1; *(u64*)(r10 - 512) = r1; r2 = r10; r2 += -512; r0 = *(u32*)(r2 + 4)', '0xffffffff'],
    ['r2 = r10; r2 += -600; r1 = 5; *(u64*)(r2 + 592) = r1; r0 = *(u64*)(r10 - 8)', '5'],
  ],
  jumps: [
    ['if r6 != 0 goto other; r0 = 1; goto out; other:; r0 = 2', '1'],
    ['r1 = -1; if r1 > 1 goto out; r0 = 1', '0'],   // -1 is the largest unsigned number
    ['r1 = -1; if r1 s> 1 goto out; r0 = 1', '1'],
    ['r1 = 0x100000000 ll; if w1 == 0 goto out; r0 = 1', '0'],
    ['r1 = 0x100000000 ll; if r1 == 0 goto out; r0 = 1', '1'],
    [`r1 = ${minimum64} ll; if r1 s< 0 goto out; r0 = 1`, '0'],
    [`r1 = ${minimum64} ll; if w1 s< 0 goto out; r0 = 1`, '1'],
    [`w1 = ${minimum32}; if w1 s<= -1 goto out; r0 = 1`, '0'],
    [`w1 = ${minimum32}; if r1 s<= -1 goto out; r0 = 1`, '1'],
    ['r1 = 6; if r1 & 4 goto out; r0 = 1', '0'],
    ['r1 = 6; if r1 & 9 goto out; r0 = 1', '1'],
    [`r1 = ${minimum64} ll; if r1 & ${minimum32} goto out; r0 = 1`, '0'],
    ['r1 = 5; r2 = 5; if r1 >= r2 goto out; r0 = 1', '0'],
    ['r1 = 5; r2 = 5; if r1 < r2 goto out; r0 = 1', '1'],
    ['r1 = 5; r2 = 5; if r1 <= r2 goto out; r0 = 1', '0'],
    ['r1 = 5; r2 = 5; if r1 != r2 goto out; r0 = 1', '1'],
    ['r1 = 5; r2 = 5; if r1 s>= r2 goto out; r0 = 1', '0'],
    ['r1 = 9; again:; r0 += r1; r1 -= 1; if r1 != 0 goto again', '45'],
    ['r1 = 9; outer:; r2 = 3; inner:; r0 += r2; r2 -= 1; if r2 s> 0 goto inner; r1 -= 1; if r1 > 0 goto outer', '54'],
    // Two entries into one loop: no structured form.
    ['r1 = 5; if r6 == 0 goto second; first:; r0 += 1; second:; r0 += 16; r1 -= 1; if r1 != 0 goto first', '0x54'],
  ],
  calls: [
    ['r1 = 3; r2 = 4; call sub', '12', 'sub():; r0 = r1; r0 *= r2; exit'],
    ['r6 = 7; call sub; r0 += r6', '8', 'sub():; r6 = 99; r0 = 1; exit'],
    ['r1 = 5; *(u64*)(r10 - 8) = r1; call sub; r1 = *(u64*)(r10 - 8); r0 += r1', '14', 'sub():; r1 = 9; *(u64*)(r10 - 8) = r1; r0 = *(u64*)(r10 - 8); exit'],
    ['r1 = r10; r1 += -8; *(u64*)(r10 - 8) = 5; call sub; r0 = *(u64*)(r10 - 8)', '6', 'sub():; r2 = *(u64*)(r1 + 0); r2 += 1; *(u64*)(r1 + 0) = r2; r0 = 0; exit'],
    ['r1 = 1; call sub', '4', 'sub():; r1 += 1; call deep; exit; deep():; r0 = r1; r0 += 2; exit'],
    ['call 8; r0 *= 0', '0'],
  ],
};

/** Values at which arithmetic goes wrong if it does. */
export const hostile: readonly string[] = [
  '0', '1', '-1', '2', '0x7fffffff', '0x80000000', '0xffffffff', '0x100000000',
  '0x7fffffffffffffff', '0x8000000000000000', '0xdeadbeefcafebabe', '63',
];
