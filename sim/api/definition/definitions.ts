import type { KubeObject } from '../../../kube/port.ts';
import { resources, type Resource } from '../../../kube/resource.ts';
import type { JsonObject } from '../json.ts';
import type { Commit } from '../store.ts';
import type { Traits } from '../traits.ts';
import { readDefinition, type Definition, type DefinitionVersion } from './definition.ts';

/**
 * The kinds that stored CustomResourceDefinitions add to the built-in ones and ours, whose schemas
 * are compiled in: a definition of one of those is kept and changes nothing.
 */
export class Definitions {
  readonly #byPlural = new Map<string, Definition>();
  #revision = 0;

  /** Grows with each change of what is defined. */
  get revision(): number {
    return this.#revision;
  }

  /** In the order of their definition. */
  all(): readonly Definition[] {
    return [...this.#byPlural.values()];
  }

  /** Follows a commit of a definition; returns the kind whose definition went, if one did. */
  observe(commit: Commit): Resource | undefined {
    const definition = readDefinition(commit.object);
    if (definition === undefined || isKnown(definition.resource)) return undefined;
    const id = idOf(definition.resource);
    this.#revision += 1;
    if (commit.type === 'DELETED') {
      this.#byPlural.delete(id);
      return definition.resource;
    }
    this.#byPlural.set(id, definition);
    return undefined;
  }

  /** The resource of an object by kind and group, whatever version it names. */
  resourceOf({ apiVersion = '', kind }: KubeObject): Resource | undefined {
    const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
    return this.all().map(({ resource }) => resource)
      .find((resource) => resource.group === group && resource.kind === kind);
  }

  /** Undefined for kinds that no definition added. */
  traitsOf(resource: Resource): Traits | undefined {
    const version = this.#stored(resource);
    return version && {
      status: version.status, generation: 'custom', unconditional: false, createOnUpdate: false,
      custom: true,
    };
  }

  schemaOf(resource: Resource): JsonObject | undefined {
    return this.#stored(resource)?.schema;
  }

  selectableOf(resource: Resource): readonly string[] {
    return this.#stored(resource)?.selectable ?? [];
  }

  #stored(resource: Resource): DefinitionVersion | undefined {
    if (this.#byPlural.size === 0) return undefined;
    return this.#byPlural.get(idOf(resource))?.versions.find((version) => version.stored);
  }
}

function idOf({ group, plural }: Resource): string {
  return `${group}/${plural}`;
}

function isKnown({ group, plural }: Resource): boolean {
  return Object.values(resources).some((of) => of.group === group && of.plural === plural);
}
