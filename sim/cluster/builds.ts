import type { AgentCaches } from '../../agent.ts';
import type { CompiledObject } from '../../bpf/vm/compile.ts';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import { build as ours, type Build } from '../build.ts';
import type { NodeObject } from '../node/loaded.ts';
import { loadedObject } from '../node/object.ts';
import { demand } from '../scenario/error.ts';

/** A version of fairlead with its object as the engine executes it. */
export interface TranslatedBuild {
  readonly build: Build;
  readonly programs: CompiledObject;
}

/** A version as the processes of one cluster are started from it. */
export interface ClusterBuild extends Pick<
  Build, 'Migration' | 'createAgent' | 'createController'
>, NodeObject {
  readonly name: string;
  /** What its processes remember in common; without sharing, those of one node. */
  cachesOf(node: string): AgentCaches;
}

export interface BuildsInput {
  /** Ours, as nodes execute them. */
  readonly programs: CompiledObject;
  /** Others by name; `current` is ours. */
  readonly builds: ReadonlyMap<string, TranslatedBuild>;
  readonly datapath: DatapathOptions;
  readonly sharing: boolean;
}

/** The versions of fairlead that run in one cluster (simulator.md 5.1). */
export class Builds {
  #builds: ReadonlyMap<string, ClusterBuild>;

  constructor({ programs, builds, datapath, sharing }: BuildsInput) {
    const all = new Map([...builds, [current, { build: ours, programs }] as const]);
    this.#builds = new Map([...all].map(([name, translated]) => (
      [name, clusterBuild(name, translated, { datapath, sharing })]
    )));
  }

  get current(): ClusterBuild {
    return this.get(current);
  }

  get(name: string): ClusterBuild {
    const found = this.#builds.get(name);
    const names = [...this.#builds.keys()].join(', ');
    demand(found !== undefined, `build ${name} was given to the run; there are ${names}`);
    return found;
  }
}

/** The version that runs the simulator. */
const current = 'current';

function clusterBuild(
  name: string, { build, programs }: TranslatedBuild,
  { datapath, sharing }: Pick<BuildsInput, 'datapath' | 'sharing'>,
): ClusterBuild {
  const { Migration, createAgent, createController, createAgentCaches } = build;
  const shared = sharing ? createAgentCaches() : undefined;
  const own = new Map<string, AgentCaches>();
  const cachesOf = (node: string): AgentCaches => {
    const caches = shared ?? own.get(node) ?? createAgentCaches('one');
    own.set(node, caches);
    return caches;
  };
  return {
    name, Migration, createAgent, createController, cachesOf,
    ...loadedObject(programs, datapath, build.object),
  };
}
