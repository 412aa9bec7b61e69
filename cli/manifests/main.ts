// Writes the files below kind/ that are generated: `npm run manifests`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chartFiles } from './chart.ts';
import { definitionFiles } from './files.ts';

const root = join(import.meta.dirname, '..', '..');
for (const { path, text } of [...definitionFiles(), ...chartFiles()]) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
