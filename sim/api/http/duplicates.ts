/** What stands around one place of a JSON text. */
interface Level {
  readonly path: string;
  /** Keys so far; undefined inside a list. */
  readonly keys: Set<string> | undefined;
  /** Of the entry that is being read. */
  index: number;
  key: string;
}

const token = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/gu;

/**
 * Paths of keys that stand twice in one object of a JSON text, in the order of their second
 * standing; a parsed value cannot tell. A text that is no JSON has none.
 */
export function duplicateFields(text: string): string[] {
  const repeated: string[] = [];
  const levels: Level[] = [];
  let last = '';
  for (const [word] of text.matchAll(token)) {
    const level = levels.at(-1);
    if (word === '{' || word === '[') {
      const keys = word === '{' ? new Set<string>() : undefined;
      levels.push({ path: level === undefined ? '' : pathOf(level), keys, index: 0, key: '' });
    } else if (word === '}' || word === ']') levels.pop();
    else if (word === ',' && level !== undefined) level.index += 1;
    else if (word === ':' && level?.keys !== undefined) {
      level.key = keyOf(last);
      if (level.keys.has(level.key)) repeated.push(pathOf(level));
      level.keys.add(level.key);
    }
    last = word;
  }
  return repeated;
}

function pathOf({ path, keys, index, key }: Level): string {
  if (keys === undefined) return `${path}[${index}]`;
  return path === '' ? key : `${path}.${key}`;
}

// Almost every key is plain; one with an escape is read as JSON has it.
function keyOf(word: string): string {
  return word.includes('\\') ? String(JSON.parse(word)) : word.slice(1, -1);
}
