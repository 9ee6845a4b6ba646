// A titled part of an object's page.

import type { ComponentChildren } from 'preact';

export const Part = ({ title, children }: { title: string; children: ComponentChildren }) => (
  <section class="part">
    <h2>{title}</h2>
    {children}
  </section>
);
