import { viewOf } from '../../bpf/vm/elf.ts';
import { decode } from '../../bpf/vm/instruction.ts';
import type { BpfObject } from '../../bpf/vm/object.ts';

/** Machine code, and the functions in it: the first one is the program. */
export interface Assembled {
  readonly code: Uint8Array;
  readonly functions: readonly { readonly name: string; readonly from: number }[];
}

/** One slot before it becomes eight bytes; `number` may be the name of a label or function. */
interface Draft {
  opcode: number;
  target?: number;
  source?: number;
  offset?: number | string;
  number?: number | string;
}

const operators = [
  's>>=', 's/=', 's%=', '<<=', '>>=', '+=', '-=', '*=', '/=', '|=', '&=', '%=', '^=', '=',
] as const;
const codes: Readonly<Record<(typeof operators)[number], readonly [number, number]>> = {
  '+=': [0, 0], '-=': [1, 0], '*=': [2, 0], '/=': [3, 0], 's/=': [3, 1], '|=': [4, 0],
  '&=': [5, 0], '<<=': [6, 0], '>>=': [7, 0], '%=': [9, 0], 's%=': [9, 1], '^=': [10, 0],
  '=': [11, 0], 's>>=': [12, 0],
};
const jumps: Readonly<Record<string, number>> = {
  '==': 1, '>': 2, '>=': 3, '&': 4, '!=': 5, 's>': 6, 's>=': 7, '<': 10, '<=': 11, 's<': 12,
  's<=': 13,
};
const sizes: Readonly<Record<string, number>> = { 32: 0x00, 16: 0x08, 8: 0x10, 64: 0x18 };
const atomics: Readonly<Record<string, number>> = {
  '+=': 0x00, '|=': 0x40, '&=': 0x50, '^=': 0xa0, xchg: 0xe1, cmpxchg: 0xf1,
};

/**
 * Assembles lines (or parts between semicolons) like `w1 s>>= 3`, `if r1 s< r2 goto out`, `out:`,
 * `r1 = *(u32*)(r10 - 4)`, `fetch *(u64*)(r10 - 8) += r1`, `call 7`, `call sub`, `sub():`.
 */
export function assemble(text: string): Assembled {
  const drafts: Draft[] = [];
  const labels = new Map<string, number>();
  const functions = [{ name: 'main', from: 0 }];
  for (const line of text.split(/[;\n]/).map((part) => part.trim()).filter((part) => part !== '')) {
    const label = /^(\w+)(\(\))?:$/.exec(line);
    if (label === null) {
      drafts.push(...draftsOf(line));
      continue;
    }
    labels.set(label[1]!, drafts.length);
    if (label[2] !== undefined) functions.push({ name: label[1]!, from: drafts.length });
  }
  const code = new Uint8Array(drafts.length * 8);
  const view = viewOf(code);
  drafts.forEach((draft, slot) => {
    const distance = (wanted: number | string | undefined): number => {
      if (typeof wanted !== 'string') return wanted ?? 0;
      const found = labels.get(wanted);
      if (found === undefined) throw new Error(`no label ${wanted}`);
      return found - slot - 1;
    };
    view.setUint8(slot * 8, draft.opcode);
    view.setUint8(slot * 8 + 1, (draft.target ?? 0) | (draft.source ?? 0) << 4);
    view.setInt16(slot * 8 + 2, distance(draft.offset), true);
    view.setInt32(slot * 8 + 4, distance(draft.number), true);
  });
  return { code, functions };
}

const register = /^([rw])(\d+)$/;

function draftsOf(line: string): Draft[] {
  if (line === 'exit') return [{ opcode: 0x95 }];
  const simple = jumpOf(line) ?? memoryOf(line) ?? specialOf(line);
  if (simple !== undefined) return simple;
  const [, target = '', operator = '', source = ''] = /^(\w+) (\S+) (\S+)$/.exec(line) ?? [];
  const code = codes[operator as keyof typeof codes];
  const [, kind, number] = register.exec(target) ?? [];
  if (code === undefined || number === undefined) throw new Error(`not an instruction: ${line}`);
  const base = (kind === 'r' ? 0x07 : 0x04) | code[0] << 4;
  const right = register.exec(source);
  if (right !== null) {
    const from = Number(right[2]);
    return [{ opcode: base | 8, target: Number(number), source: from, offset: code[1] }];
  }
  return [{ opcode: base, target: Number(number), number: Number(source) | 0, offset: code[1] }];
}

function jumpOf(line: string): Draft[] | undefined {
  const [, plain] = /^goto (\w+)$/.exec(line) ?? [];
  if (plain !== undefined) return [{ opcode: 0x05, offset: plain }];
  const [, far] = /^gotol (\w+)$/.exec(line) ?? [];
  if (far !== undefined) return [{ opcode: 0x06, number: far }];
  const [, callee] = /^call (\w+)$/.exec(line) ?? [];
  if (callee !== undefined) {
    return /^\d/.test(callee)
      ? [{ opcode: 0x85, number: Number(callee) }] : [{ opcode: 0x85, source: 1, number: callee }];
  }
  const found = /^if ([rw])(\d+) (\S+) (\S+) goto (\w+)$/.exec(line);
  if (found === null) return undefined;
  const [, kind, left, operator = '', right = '', to = ''] = found;
  const base = (kind === 'r' ? 0x05 : 0x06) | jumps[operator]! << 4;
  const other = register.exec(right);
  if (other !== null) {
    return [{ opcode: base | 8, target: Number(left), source: Number(other[2]), offset: to }];
  }
  return [{ opcode: base, target: Number(left), number: Number(right) | 0, offset: to }];
}

const place = String.raw`\*\(([us])(\d+)\*\)\(r(\d+) ([+-]) (\d+)\)`;
const loadLine = new RegExp(`^r(\\d+) = ${place}$`);
const storeLine = new RegExp(`^${place} = (\\S+)$`);
const atomicLine = new RegExp(`^(lock|fetch|xchg|cmpxchg) ${place}(?: (\\S+))? r(\\d+)$`);

function memoryOf(line: string): Draft[] | undefined {
  const load = loadLine.exec(line);
  if (load !== null) {
    const [, target, sign, bits = '', base, minus, distance] = load;
    const mode = sign === 'u' ? 0x61 : 0x81;
    return [{
      opcode: mode | sizes[bits]!, target: Number(target), source: Number(base),
      offset: offsetOf(minus, distance),
    }];
  }
  const store = storeLine.exec(line);
  if (store !== null) {
    const [, , bits = '', base, minus, distance, value = ''] = store;
    const from = register.exec(value);
    const rest = { target: Number(base), offset: offsetOf(minus, distance) };
    return from === null
      ? [{ opcode: 0x62 | sizes[bits]!, ...rest, number: Number(value) | 0 }]
      : [{ opcode: 0x63 | sizes[bits]!, ...rest, source: Number(from[2]) }];
  }
  const atomic = atomicLine.exec(line);
  if (atomic === null) return undefined;
  const [, kind = '', , bits = '', base, minus, distance, operator = '', source] = atomic;
  const code = atomics[operator] ?? atomics[kind]!;
  return [{
    opcode: 0xc3 | sizes[bits]!, target: Number(base), source: Number(source),
    offset: offsetOf(minus, distance), number: code | (kind === 'fetch' ? 1 : 0),
  }];
}

function offsetOf(minus: string | undefined, distance: string | undefined): number {
  return minus === '-' ? -Number(distance) : Number(distance);
}

function specialOf(line: string): Draft[] | undefined {
  const wide = /^r(\d+) = (\S+) ll$/.exec(line);
  if (wide !== null) {
    const value = BigInt.asUintN(64, BigInt(wide[2]!));
    return [
      { opcode: 0x18, target: Number(wide[1]), number: Number(BigInt.asIntN(32, value)) },
      { opcode: 0, number: Number(BigInt.asIntN(32, value >> 32n)) },
    ];
  }
  const negate = /^([rw])(\d+) = -[rw]\2$/.exec(line);
  if (negate !== null) {
    return [{ opcode: negate[1] === 'r' ? 0x87 : 0x84, target: Number(negate[2]) }];
  }
  const swap = /^r(\d+) = (be|le|bswap)(16|32|64) r\1$/.exec(line);
  if (swap !== null) {
    const opcode = { be: 0xdc, le: 0xd4, bswap: 0xd7 }[swap[2] as 'be' | 'le' | 'bswap'];
    return [{ opcode, target: Number(swap[1]), number: Number(swap[3]) }];
  }
  const extend = /^([rw])(\d+) = \(s(8|16|32)\)[rw](\d+)$/.exec(line);
  if (extend === null) return undefined;
  return [{
    opcode: extend[1] === 'r' ? 0xbf : 0xbc, target: Number(extend[2]), source: Number(extend[4]),
    offset: Number(extend[3]),
  }];
}

/** The same as an object with one program `main` of type tc. */
export function objectOf({ code, functions }: Assembled): BpfObject {
  const view = viewOf(code);
  return {
    maps: [], sections: [], variables: [], placeOf: () => undefined,
    functions: functions.map(({ name, from }, index) => ({
      name, section: index === 0 ? 'tc' : '.text', isProgram: index === 0, start: from,
      code: decode(view, { from, to: functions[index + 1]?.from ?? code.length / 8 }, {
        callee: (at, number) => functions.findIndex((one) => one.from === at + 1 + number),
        constant: () => undefined,
      }),
    })),
  };
}
