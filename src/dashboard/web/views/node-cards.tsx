// The nodes of the picture, each with its pods.

import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { toneOf } from '../model/tone.ts';
import { links } from '../router.ts';
import { t } from '../text.ts';
import { Pill } from '../ui/cells.tsx';
import type { ClusterNodes, NodeWithPods } from './cluster-nodes.ts';
import { type Dot, PodDots } from './pod-dots.tsx';

/** Cards that are drawn; more are counted. */
const most = 60;

export function NodeCards({ cluster: { nodes, waiting, podCount, fault } }: { cluster: ClusterNodes }) {
  return (
    <div class="nodes" data-part="nodes">
      <h2>
        <a href={links.list('nodes')}>{t('part.nodes')}</a>
        <span class="muted small">{t('nodesLead', { nodes: nodes.length, pods: podCount })}</span>
      </h2>
      {fault && <p class="muted">{fault}</p>}
      <div class="node-grid">
        {waiting.length > 0 && <Waiting dots={waiting} />}
        {nodes.slice(0, most).map((node) => (
          <NodeCard key={node.name} node={node} />
        ))}
      </div>
      {nodes.length > most && <a href={links.list('nodes')}>{t('andMore', { count: nodes.length - most })}</a>}
    </div>
  );
}

function NodeCard({ node: { name, status, dots } }: { node: NodeWithPods }) {
  const troubled = dots.filter(({ tone }) => tone === 'bad').length;
  return (
    <article class="node-card">
      <h3>
        <a href={links.object('nodes', '', name)}>{name}</a>
        <Pill tone={toneOf(status)} text={status} />
      </h3>
      <Dots dots={dots} />
      <p class="muted small">
        <a href={links.list('pods', { filter: `spec.nodeName=${name}` })}>{t('podCount', { count: dots.length })}</a>
        {troubled > 0 && <span class="pill bad"> {t('troubled', { count: troubled })}</span>}
      </p>
    </article>
  );
}

const Waiting = ({ dots }: { dots: readonly Dot[] }) => (
  <article class="node-card waiting">
    <h3>{t('unscheduled')}</h3>
    <Dots dots={dots} />
    <p class="muted small">{t('podCount', { count: dots.length })}</p>
  </article>
);

function Dots({ dots }: { dots: readonly Dot[] }) {
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      width.value = element.clientWidth;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [width]);
  return (
    <div ref={box} class="dots">
      {width.value > 0 && <PodDots dots={dots} width={width.value} />}
    </div>
  );
}
