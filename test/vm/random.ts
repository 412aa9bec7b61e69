import fc from 'fast-check';
import { hostile } from './rows.ts';

const working = fc.integer({ min: 0, max: 7 });
const wide = fc.oneof(
  fc.constantFrom(...hostile), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
);
const immediate = fc.oneof(
  fc.constantFrom('0', '1', '-1', '2', '0x7fffffff', '0x80000000'),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(String),
);
const kind = fc.constantFrom('r', 'w');
const slot = fc.integer({ min: 1, max: 4 }).map((count) => count * 8);

const plain = fc.tuple(
  kind, working, fc.constantFrom('+=', '-=', '*=', '|=', '&=', '^=', '='), working, immediate,
  fc.boolean(),
).map(([k, target, operator, source, number, fromRegister]) => (
  `${k}${target} ${operator} ${fromRegister ? `${k}${source}` : number}`
));

const division = fc.tuple(
  kind, working, fc.constantFrom('/=', '%=', 's/=', 's%='), working, immediate, fc.boolean(),
).map(([k, target, operator, source, number, fromRegister]) => (
  // The verifier refuses to divide by a zero that it can see.
  `${k}${target} ${operator} ${fromRegister || number === '0' ? `${k}${source}` : number}`
));

const shift = fc.tuple(
  kind, working, fc.constantFrom('<<=', '>>=', 's>>='), working, fc.integer({ min: 0, max: 31 }),
  fc.boolean(),
).map(([k, target, operator, source, count, fromRegister]) => (
  `${k}${target} ${operator} ${fromRegister ? `${k}${source}` : count}`
));

const single = fc.tuple(
  working, working, fc.constantFrom('be', 'le', 'bswap'), fc.constantFrom(16, 32, 64),
  fc.constantFrom(8, 16), fc.integer({ min: 0, max: 2 }), kind,
).map(([target, source, order, width, from, form, k]) => {
  if (form === 0) return `r${target} = ${order}${width} r${target}`;
  return form === 1 ? `${k}${target} = -${k}${target}` : `${k}${target} = (s${from})${k}${source}`;
});

const memory = fc.tuple(
  slot, working, fc.constantFrom(8, 16, 32, 64), fc.boolean(), immediate, fc.constantFrom('u', 's'),
).map(([at, register, width, stores, number, sign]) => {
  if (stores) {
    const value = Number(number) % 2 === 0 ? number : `r${register}`;
    return `*(u${width})(r10 - ${at}) = ${value}`.replace(')(', '*)(');
  }
  return `r${register} = *(${width === 64 ? 'u' : sign}${width}*)(r10 - ${at})`;
});

const atomic = fc.tuple(
  fc.constantFrom('lock', 'fetch'), slot, fc.constantFrom('+=', '|=', '&=', '^='), working,
  fc.constantFrom(32, 64), fc.constantFrom('', 'xchg', 'cmpxchg'),
).map(([prefix, at, operator, register, width, exchange]) => (
  exchange === '' ? `${prefix} *(u${width}*)(r10 - ${at}) ${operator} r${register}`
    : `${exchange} *(u${width}*)(r10 - ${at}) r${register}`
));

const instruction = fc.oneof(plain, division, shift, single, memory, atomic);

const condition = fc.tuple(
  kind, working,
  fc.constantFrom('==', '!=', '>', '>=', '<', '<=', 's>', 's>=', 's<', 's<=', '&'),
  working, immediate, fc.boolean(),
).map(([k, left, operator, right, number, withRegister]) => (
  `if ${k}${left} ${operator} ${withRegister ? `${k}${right}` : number}`
));

/** Straight lines between jumps: each piece may jump forward over the rest of itself. */
const piece = fc.tuple(
  fc.option(condition, { nil: undefined }), fc.integer({ min: 1, max: 3 }),
  fc.array(instruction, { minLength: 1, maxLength: 5 }),
);

/**
 * A body that a verifier accepts: known registers, four slots of the stack, jumps forward to the
 * starts of later pieces and one loop of up to four rounds around all of them.
 */
export const body = fc.tuple(
  fc.array(wide, { minLength: 8, maxLength: 8 }), fc.array(piece, { minLength: 1, maxLength: 6 }),
  fc.integer({ min: 1, max: 4 }),
).map(([values, pieces, rounds]) => {
  const lines = values.map((value, index) => `r${index} = ${value} ll`);
  for (let at = 8; at <= 32; at += 8) lines.push(`*(u64*)(r10 - ${at}) = r${at / 8}`);
  lines.push(`r8 = ${rounds}`, 'again:');
  pieces.forEach(([jump, distance, instructions], index) => {
    lines.push(`p${index}:`);
    const to = Math.min(index + distance, pieces.length);
    if (jump !== undefined) lines.push(`${jump} goto p${to}`);
    lines.push(...instructions);
  });
  lines.push(`p${pieces.length}:`, 'r8 -= 1', 'if r8 != 0 goto again');
  // All that the body knows goes into the result.
  for (let register = 1; register <= 7; register += 1) {
    lines.push('r0 *= 31', `r0 ^= r${register}`);
  }
  for (let at = 8; at <= 32; at += 8) {
    lines.push(`r1 = *(u64*)(r10 - ${at})`, 'r0 *= 31', 'r0 ^= r1');
  }
  return lines.join('; ');
});
