// Loaded before a program whose sources are to be others: `node --import` this file, with the
// patches as JSON in FAIRLEAD_PATCHES. No copy of the sources is made, so that the rest comes from
// the cache.
import { registerHooks } from 'node:module';

/** A change of one source file, by its path from the root. */
export interface Patch {
  readonly file: string;
  /** Must occur in the file once at least; all are replaced. */
  readonly from: string;
  readonly to: string;
}

const patches = JSON.parse(process.env['FAIRLEAD_PATCHES'] ?? '[]') as readonly Patch[];

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const changes = patches.filter(({ file }) => url.endsWith(`/${file}`));
    if (changes.length === 0) return loaded;
    let source = Buffer.from(loaded.source as Uint8Array).toString('utf8');
    for (const { file, from, to } of changes) {
      if (!source.includes(from)) throw new Error(`${file} has '${from}'`);
      source = source.replaceAll(from, to);
    }
    return { ...loaded, source };
  },
});
