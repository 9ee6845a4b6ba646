// How Kubernetes prints a pod template inside a message: as its internal type, with Go's names of fields.

import type { PodTemplateSpec } from '../../generated/types.ts';

export const internalTemplate = (template: PodTemplateSpec | undefined): unknown => template ?? null;
