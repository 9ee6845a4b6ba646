// One port of a service: the ways in, the rule, and the endpoints, from left to right.

import type { ComponentChildren } from 'preact';
import type { Endpoint, PortPath } from '../model/trace.ts';
import { links } from '../router.ts';
import { t } from '../text.ts';
import { Pill } from '../ui/cells.tsx';

/** Endpoints that are drawn; more are counted. */
const most = 100;

export function PortPicture({ place, path, from }: { place: string; path: PortPath; from: string }) {
  const { balancers, externalIPs, nodePort, clusterIPs, refusal, endpoints, droppingNodes } = path;
  const hasOutside = balancers.length + externalIPs.length + nodePort > 0;
  return (
    <section class="port" aria-label={`${path.port}/${path.protocol}`}>
      <h3>
        {path.port}/{path.protocol}
      </h3>
      <div class={refusal ? 'hops refused' : 'hops'}>
        <Stage title={hasOutside ? t('hop.user') : t('hop.inside')}>
          <Hop text={from || (hasOutside ? t('hop.anyone') : t('hop.pods'))} />
        </Stage>
        {hasOutside && (
          <Stage title={t('hop.entry')}>
            {[...balancers, ...externalIPs].map((ip) => (
              <Hop key={ip} text={`${ip}:${path.port}`} note={t('hop.balancer')} />
            ))}
            {nodePort > 0 && <Hop text={`*:${nodePort}`} note={t('hop.nodePort')} />}
          </Stage>
        )}
        <Stage title={t('hop.service')}>
          {clusterIPs.map((ip) => (
            <Hop key={ip} text={`${ip}:${path.port}`} note={t('hop.clusterIp')} />
          ))}
          {clusterIPs.length === 0 && <Hop text={t('none')} />}
          <p class="hop-rule" title={hasOutside ? path.outsideRule : path.insideRule}>
            {hasOutside ? path.outsideRule : path.insideRule}
          </p>
        </Stage>
        {refusal && (
          <div class="stage stop" role="alert">
            <h4>{t('hop.refused')}</h4>
            <div class="hop bad">
              <span>{refusal.reason}</span>
              <span class="small mono">{refusal.rule}</span>
            </div>
          </div>
        )}
        <Stage title={t('hop.endpoints')} isWide>
          <div class="hop-list">
            {endpoints.slice(0, most).map((endpoint) => (
              <EndpointHop key={endpoint.address} place={place} endpoint={endpoint} />
            ))}
          </div>
          {endpoints.length > most && <p class="muted">{t('andMore', { count: endpoints.length - most })}</p>}
          {endpoints.length === 0 && <Hop text={t('none')} />}
        </Stage>
      </div>
      {hasOutside && (
        <p class="muted small">{path.keepsClientAddress ? t('hop.keepsAddress') : t('hop.nodeAddress')}</p>
      )}
      {droppingNodes.length > 0 && (
        <p class="notice busy flat">{t('hop.dropping', { nodes: droppingNodes.join(', ') })}</p>
      )}
    </section>
  );
}

const Stage = ({ title, children, isWide }: { title: string; children: ComponentChildren; isWide?: boolean }) => (
  <div class={isWide ? 'stage wide' : 'stage'}>
    <h4>{title}</h4>
    {children}
  </div>
);

const Hop = ({ text, note }: { text: string; note?: string }) => (
  <div class="hop">
    <span class="mono">{text}</span>
    {note && <span class="muted small">{note}</span>}
  </div>
);

function EndpointHop({ place, endpoint: { address, node, pod, isReady } }: { place: string; endpoint: Endpoint }) {
  return (
    <div class={isReady ? 'hop' : 'hop unready'}>
      <span class="hop-pod">
        {pod ? <a href={links.object('pods', place, pod)}>{pod}</a> : <span class="mono">{address}</span>}
        {!isReady && <Pill tone="busy" text={t('notReady')} />}
      </span>
      <span class="muted small">{[pod && address, node].filter(Boolean).join(' · ')}</span>
    </div>
  );
}
