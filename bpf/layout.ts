import { murmur32 } from '../lb/murmur.ts';
import { assert } from '../lb/result.ts';
import type { Layout, LayoutEnum, LayoutField, LayoutMap, LayoutStruct } from './btf.ts';

/**
 * The text of `layout.gen.ts`: types and codecs of every struct, map definitions, numbers of every
 * enum and the layout hash. Pure; equal layouts give equal text.
 */
export function layoutText(layout: Layout): string {
  const parts = [
    `${head}\nimport {\n  ${imports.join(', ')},\n} from './bytes.ts';`,
    hashText(layout),
    mapsText(layout.maps),
    ...layout.enums.map(enumText),
    ...layout.structs.map(structText),
  ];
  return `${parts.join('\n\n')}\n`;
}

const head = `// Written by bpf/build.real.ts from the BTF of bpf/src: change the C, not this file.
/* oxlint-disable max-lines -- one generated page, read by name and never from top to bottom */
import { assert } from '../lb/result.ts';`;

const imports = [
  'be16At', 'be32At', 'putBe16', 'putBe32', 'putU16', 'putU32', 'putU64', 'u16', 'u16At', 'u32',
  'u32At', 'u64', 'u64At', 'u8',
];

function hashText(layout: Layout): string {
  return `/** Names the pin directory: differs whenever a struct or a map definition does. */
export const layoutHash = '${layoutHash(layout)}';`;
}

/** 16 hexadecimal digits over all struct layouts and map definitions (datapath.md 11). */
export function layoutHash(layout: Layout): string {
  const { structs, maps } = layout;
  const text = JSON.stringify({ structs, maps });
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  return [0, 1].map((seed) => murmur32(bytes, seed).toString(16).padStart(8, '0')).join('');
}

// Numbers of include/uapi/linux/bpf.h.
const mapTypes: ReadonlyMap<number, string> = new Map([
  [1, 'hash'], [2, 'array'], [5, 'percpu-hash'], [6, 'percpu-array'], [9, 'lru-hash'],
  [11, 'lpm-trie'], [27, 'ringbuf'],
]);

function mapsText(maps: readonly LayoutMap[]): string {
  const rows = maps.map((map) => {
    const type = mapTypes.get(map.type);
    assert(type !== undefined, `map type ${map.type} of ${map.name} has a name`);
    return `  ${map.name}: {
    type: '${type}', keyBytes: ${map.keyBytes}, valueBytes: ${map.valueBytes}, ` +
      `entriesMax: ${map.entriesMax}, flags: ${map.flags},
    key: ${structName(map.key)}, value: ${structName(map.value)},
  },`;
  });
  return `/**
 * The maps of a medium node (datapath.md 7). \`key\` and \`value\` name the codec; the key of
 * an array is its index, unsigned 32-bit in host order. Flags are those of BPF_MAP_CREATE.
 */
export const maps = {
${rows.join('\n')}
} as const;`;
}

function structName(name: string | undefined): string {
  return name === undefined ? 'undefined' : `'${camel(bare(name))}'`;
}

function enumText({ name, values }: LayoutEnum): string {
  const prefix = commonPrefix(values.map((value) => value.name));
  const rows = values.map((value) =>
    `  ${camel(value.name.slice(prefix.length).toLowerCase())}: ${value.val},`,
  );
  return `/** \`enum ${name}\` */
export const ${camel(bare(name))} = {
${rows.join('\n')}
} as const;`;
}

// Whole words; a single name keeps its last word.
function commonPrefix(names: readonly string[]): string {
  const words = (names[0] ?? '').split('_');
  for (let count = words.length - 1; count > 0; count -= 1) {
    const prefix = `${words.slice(0, count).join('_')}_`;
    if (names.every((name) => name.startsWith(prefix))) return prefix;
  }
  return '';
}

function structText(struct: LayoutStruct): string {
  const type = pascal(bare(struct.name));
  const fields = struct.fields.filter((field) => !isPadding(field));
  const value = camel(bare(struct.name));
  return `/** \`struct ${struct.name}\`, ${struct.bytes} bytes. */
export interface ${type} {
${fields.map((field) => `  readonly ${camel(field.name)}: ${fieldType(field)};`).join('\n')}
}

export const ${value}Bytes = ${struct.bytes};

/** Writes ${value}Bytes bytes; padding is zeroed. */
export function put${type}(into: Uint8Array, at: number, value: ${type}): void {
  assert(at + ${struct.bytes} <= into.length, '${struct.name} has room');
${struct.fields.flatMap((field) => putLines(struct, field)).join('\n')}
}

export function encode${type}(value: ${type}): Uint8Array {
  const bytes = new Uint8Array(${struct.bytes});
  put${type}(bytes, 0, value);
  return bytes;
}

export function decode${type}(bytes: Uint8Array, at = 0): ${type} {
  assert(at + ${struct.bytes} <= bytes.length, '${struct.name} is whole');
  return {
${fields.map((field) => `    ${camel(field.name)}: ${takeText(field)},`).join('\n')}
  };
}`;
}

function isPadding(field: LayoutField): boolean {
  return /^pad\d*$/.test(field.name);
}

function fieldType({ form }: LayoutField): string {
  if (form.kind === 'bytes') return 'Uint8Array';
  if (form.kind === 'words') return 'ArrayLike<number>';
  return form.bytes === 8 ? 'bigint' : 'number';
}

function putLines(struct: LayoutStruct, field: LayoutField): string[] {
  const { form, offset, bytes } = field;
  if (isPadding(field)) return [`  into.fill(0, at + ${offset}, at + ${offset + bytes});`];
  const name = `${struct.name}.${field.name}`;
  const value = `value.${camel(field.name)}`;
  if (form.kind === 'bytes') {
    return [
      `  assert(${value}.length === ${bytes}, '${name} has ${bytes} bytes');`,
      `  into.set(${value}, at + ${offset});`,
    ];
  }
  if (form.kind === 'words') {
    return [
      `  assert(${value}.length === ${form.count}, '${name} has ${form.count} words');`,
      `  for (let index = 0; index < ${form.count}; index += 1) {`,
      `    putU32(into, at + ${offset} + index * 4, u32(${value}[index] ?? 0, '${name} is u32'));`,
      '  }',
    ];
  }
  const checked = `u${form.bytes * 8}(${value}, '${name} is u${form.bytes * 8}')`;
  if (form.bytes === 1) return [`  into[at + ${offset}] = ${checked};`];
  return [`  ${accessor(field, 'put')}(into, at + ${offset}, ${checked});`];
}

function takeText(field: LayoutField): string {
  const { form, offset, bytes } = field;
  if (form.kind === 'bytes') return `bytes.slice(at + ${offset}, at + ${offset + bytes})`;
  if (form.kind === 'words') {
    return `Array.from({ length: ${form.count} }, (_, index) => ` +
      `u32At(bytes, at + ${offset} + index * 4))`;
  }
  if (form.bytes === 1) return `bytes[at + ${offset}] ?? 0`;
  return `${accessor(field, 'take')}(bytes, at + ${offset})`;
}

function accessor({ form }: LayoutField, way: 'put' | 'take'): string {
  assert(form.kind === 'integer', 'only integers have an order of bytes');
  const bits = form.bytes * 8;
  if (way === 'put') return form.network ? `putBe${bits}` : `putU${bits}`;
  return form.network ? `be${bits}At` : `u${bits}At`;
}

function bare(name: string): string {
  return name.replace(/^fl_/, '');
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function pascal(name: string): string {
  const text = camel(name);
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
