// The pods that a Job creates, with the fields that identify their index.
// https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode

import type { Container, Job } from '../../api/api.ts';
import type { Tools } from '../../client/client.ts';
import { createPod } from '../shared/create-pods.ts';
import { countingAnnotations } from './index-failures.ts';
import { indexAnnotation } from './indexes.ts';
import type { NewPod } from './scale.ts';
import { hasLimitPerIndex, trackingFinalizer } from './view.ts';

/** Characters of a generated name before its random suffix. */
const longestPrefix = 58;

export async function createJobPod(job: Job, { index, replaces }: NewPod, tools: Tools): Promise<void> {
  await createPod(job, 'jobs', job.spec.template, tools, {
    change(pod) {
      const { metadata, spec } = pod;
      metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), trackingFinalizer])];
      if (index === undefined) return;
      metadata.generateName = prefixOf(job.metadata.name, index);
      metadata.annotations = {
        ...metadata.annotations,
        [indexAnnotation]: String(index),
        ...(hasLimitPerIndex(job) && countingAnnotations(job, replaces)),
      };
      // The label has the name of the annotation.
      metadata.labels = { ...metadata.labels, [indexAnnotation]: String(index) };
      spec.hostname = `${job.metadata.name}-${index}`;
      for (const container of [...(spec.initContainers ?? []), ...spec.containers]) addIndexVariable(container);
    },
  });
}

function prefixOf(name: string, index: number): string {
  const suffix = `-${index}-`;
  return `${name.slice(0, longestPrefix - suffix.length)}${suffix}`;
}

const variable = {
  name: 'JOB_COMPLETION_INDEX',
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexAnnotation}']` } },
};

function addIndexVariable(container: Container): void {
  if (container.env?.some(({ name }) => name === variable.name)) return;
  container.env = [...(container.env ?? []), structuredClone(variable)];
}
