/** Where a command reads and writes: the process, or a test that listens. */
export interface Console {
  /** Data, and nothing but data. */
  out(text: string): void;
  /** Progress, warnings, hints. */
  err(text: string): void;
  readonly outTty: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Everything that stdin holds; for `-f -`. */
  input(): Promise<string>;
}

export type Colour = 'red' | 'yellow' | 'green' | 'dim';

const sequences: Readonly<Record<Colour, string>> = {
  red: '\u001B[31m',
  yellow: '\u001B[33m',
  green: '\u001B[32m',
  dim: '\u001B[2m',
};

/** Colours a word that already carries the meaning; the identity where colour is off. */
export type Paint = (colour: Colour, text: string) => string;

export type ColourWish = 'auto' | 'always' | 'never';

/** interface.md 3: a flag wins over NO_COLOR, that over FORCE_COLOR, that over the terminal. */
export function paintFor(console: Console, wish: ColourWish): Paint {
  if (!coloured(console, wish)) return (_, text) => text;
  return (colour, text) => `${sequences[colour]}${text}\u001B[0m`;
}

function coloured({ env, outTty }: Console, wish: ColourWish): boolean {
  if (wish !== 'auto') return wish === 'always';
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return outTty && env['TERM'] !== 'dumb';
}
