import { posix } from 'node:path';
import type { Source } from './sources.ts';

/** What a part of the house may import besides itself and packages (ARCHITECTURE.md, The house). */
const knows: ReadonlyMap<string, readonly string[]> = new Map([
  ['lb', []],
  ['kube', ['lb']],
  ['l2', ['lb', 'kube/port.ts', 'kube/resource.ts']],
  ['bgp', ['lb', 'kube/port.ts', 'kube/resource.ts']],
  ['bpf', ['lb']],
  ['root', ['lb', 'kube', 'l2', 'bgp', 'bpf']],
  ['sim', ['lb', 'kube', 'l2', 'bgp', 'bpf', 'root']],
  ['kind', ['lb', 'kube', 'l2', 'bgp', 'bpf', 'root', 'sim']],
  ['cli', ['lb', 'kube', 'l2', 'bgp', 'bpf', 'root', 'sim', 'kind']],
  ['test', ['lb', 'kube', 'l2', 'bgp', 'bpf', 'root', 'sim', 'kind', 'cli', '.ci']],
]);

// Packages that one file alone wraps, because their own behaviour is a trap elsewhere.
const wrapped: ReadonlyMap<string, string> = new Map([['ipaddr.js', 'lb/ip.ts']]);

const specifier = /(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g;

/** Each import of `file` that points the wrong way, as `path imports target`. */
export function wrongImports(file: Source): string[] {
  const text = file.lines.join('\n');
  return [...text.matchAll(specifier)].flatMap(([, named = '']) => {
    const target = named.startsWith('.') ? posix.join(posix.dirname(file.path), named) : named;
    return allowed(file.path, target) ? [] : [`${file.path} imports ${target}`];
  });
}

function allowed(path: string, target: string): boolean {
  const part = partOf(path);
  if (!target.endsWith('.ts') && !target.endsWith('.mjs')) {
    return part === 'test' || wrapped.get(target) === undefined || wrapped.get(target) === path;
  }
  if (target.endsWith('.real.ts') && !mayTouchReal(path)) return false;
  if (target.startsWith('sim/model/')) return /^(?:sim\/(?:model|check)|test)\//.test(path);
  const roots = knows.get(part) ?? [];
  return partOf(target) === part || roots.includes(partOf(target)) || roots.includes(target);
}

// A real adapter may build on another one of its own folder.
function mayTouchReal(path: string): boolean {
  return path.endsWith('.real.ts') || /^(?:cli|kind|test)\//.test(path);
}

function partOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : 'root';
}
