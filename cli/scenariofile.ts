import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import type { KubeObject } from '../kube/port.ts';
import { parseScenario } from '../sim/scenario/parse.ts';
import type { Scenario } from '../sim/scenario/spec.ts';
import type { Console } from './console.ts';
import { CommandEnd, exitCodes } from './exit.ts';
import { readFolder } from './folder.ts';

/** A scenario with everything that it names, read. */
export interface ScenarioFile {
  readonly file: string;
  readonly scenario: Scenario;
  readonly objects: readonly KubeObject[];
  /** Manifests of `apply` steps, by the name that the step gives. */
  readonly files: ReadonlyMap<string, readonly KubeObject[]>;
}

/** Reads one scenario; paths in it are relative to the file. Faults end the command with 64. */
export async function readScenario(console: Console, file: string): Promise<ScenarioFile> {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) {
    throw new CommandEnd(exitCodes.unreachable, `${file} does not exist`);
  }
  const parsed = parseScenario(parseYaml(file));
  if (!parsed.ok) {
    const lines = parsed.error.map((fault) => `${file}: ${fault.path}: ${fault.message}`);
    throw new CommandEnd(exitCodes.usage, `${lines.join('\n')}`);
  }
  const scenario = parsed.value;
  const read = async (name: string): Promise<readonly KubeObject[]> => {
    const path = name === '-' || isAbsolute(name) ? name : join(dirname(file), name);
    return readObjects(console, [path]);
  };
  const objects: KubeObject[] = [];
  for (const name of scenario.manifests) objects.push(...await read(name));
  const files = new Map<string, readonly KubeObject[]>();
  for (const { action } of scenario.steps) {
    if (action.kind !== 'apply') continue;
    for (const name of action.files) files.set(name, await read(name));
  }
  return { file, scenario, objects, files };
}

/** Objects of files and folders. A document that is no object ends the command with 1. */
export async function readObjects(
  console: Console,
  filename: readonly string[],
): Promise<KubeObject[]> {
  const manifests = await readFolder(console, { filename });
  if (manifests.faults.length > 0) {
    const lines = manifests.faults.map((fault) => `${fault.file}:${fault.line}: ${fault.message}`);
    throw new CommandEnd(exitCodes.notWell, lines.join('\n'));
  }
  return manifests.objects.map(({ object }) => object);
}

function parseYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CommandEnd(
      exitCodes.usage,
      `${file}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
