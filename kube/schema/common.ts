import {
  list, listMap, map, object, oneOf, text, integer,
  type ObjectSchema, type PrinterColumn, type SchemaVersion,
} from './schema.ts';

/** metav1.LabelSelector; keys and values are judged by its readers, as the API server does. */
export const labelSelector: ObjectSchema = object({
  matchLabels: map(text({ lengthMax: 63 })),
  matchExpressions: list(
    object(
      {
        key: text(),
        operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist'),
        values: list(text()),
      },
      { required: ['key', 'operator'] },
    ),
  ),
});

/**
 * The selector of kinds where admission checks types only (l2.md 2.1): an unknown operator is
 * admitted and becomes a condition.
 */
export const looseLabelSelector: ObjectSchema = object({
  matchLabels: map(text()),
  matchExpressions: list(object({ key: text(), operator: text(), values: list(text()) })),
});

/** metav1.Condition in a list-map by type. */
export const conditions = listMap(
  object(
    {
      type: text({ lengthMax: 316 }),
      status: oneOf('True', 'False', 'Unknown'),
      reason: text({
        lengthMin: 1, lengthMax: 1024, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
      }),
      message: text({ lengthMax: 32_768 }),
      lastTransitionTime: text({ format: 'date-time' }),
      observedGeneration: integer(0, Number.MAX_SAFE_INTEGER),
    },
    { required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'] },
  ),
  ['type'],
);

/** Status of kinds that have conditions and nothing else. */
export const statusWithConditions: ObjectSchema = object({ conditions });

/** The printed column that every kind has. */
export const ageColumn: PrinterColumn = {
  name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp',
};

/** `v2` served and stored, `v2alpha1` served and deprecated: pools and the five BGP kinds. */
export const currentVersions: readonly SchemaVersion[] = [
  { name: 'v2', served: true, stored: true, deprecated: false },
  { name: 'v2alpha1', served: true, stored: false, deprecated: true },
];

/** Kinds that never left alpha: L2 policies and legacy peering policies. */
export const alphaVersions: readonly SchemaVersion[] = [
  { name: 'v2alpha1', served: true, stored: true, deprecated: false },
];
