// Icons: strokes of the text's colour, on a grid of 16.

const paths = {
  architecture: 'M2 3h5v4H2zM9 9h5v4H9zM4.5 7v4H9M11.5 9V5H7',
  traffic: 'M2 8h4l2-4 2 8 2-4h2',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6 14 14',
  menu: 'M2 4h12M2 8h12M2 12h12',
  close: 'M3.5 3.500l9 9M12.5 3.500l-9 9',
  chevron: 'M6 4l4 4-4 4',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.500M8 13.500V15M1 8h1.500M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  user: 'M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c.5-3 2.5-4.5 5.5-4.500s5 1.5 5.5 4.5',
  plus: 'M8 3v10M3 8h10',
  trash: 'M3 4.500h10M6.5 4.500V3h3v1.500M4.5 4.500l.5 8.500h6l.5-8.5',
  edit: 'M3 13l.6-2.800L10.7 3.100l2.2 2.2-7.1 7.100z',
  restart: 'M13 8a5 5 0 1 1-1.5-3.600M13 2.500v2.500h-2.5',
  scale: 'M2.5 13.500v-4M2.5 13.500h4M2.5 13.5 7 9M13.5 2.500v4M13.5 2.500h-4M13.5 2.5 9 7',
  cordon: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM4 12l8-8',
  drain: 'M8 2v8M4.5 7 8 10.5 11.5 7M3 13.500h10',
  logs: 'M3 3h10M3 6.500h7M3 10h10M3 13.500h5',
  terminal: 'M2 3h12v10H2zM4.5 6l2 2-2 2M8.5 10h3',
  copy: 'M5.5 5.500h8v8h-8zM10.5 5.500v-3h-8v8h3',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  columns: 'M2 3h12v10H2zM6 3v10M10 3v10',
  download: 'M8 2v8M4.5 7 8 10.5 11.5 7M3 13.500h10',
  eye: 'M1.5 8C3 5 5.3 3.5 8 3.500S13 5 14.5 8C13 11 10.7 12.5 8 12.500S3 11 1.5 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  keyboard: 'M1.5 4h13v8h-13zM4 6.500h.01M6.5 6.500h.01M9 6.500h.01M11.5 6.500h.01M5 9.500h6',
  play: 'M5 3.500v9l7-4.500z',
  pause: 'M5.5 3.500v9M10.5 3.500v9',
  undo: 'M6 3.5 3 6.5l3 3M3 6.5h6.5a3.5 3.5 0 0 1 0 7H7',
  lab: 'M6 2h4M6.5 2v4.500L3 12.500c-.4.8 0 1.5 1 1.500h8c1 0 1.400-.7 1-1.500L9.5 6.500V2M4.800 10h6.400',
  chart: 'M2 13.500h12M3.5 11V8M6.5 11V3.500M9.5 11V6M12.5 11V9',
  key: 'M10 9.500a3.5 3.5 0 1 0-3.2-2L2 12.300V14h2v-1.500h1.500V11H7l1.1-1.800a3.5 3.5 0 0 0 1.9.3zM11 5.500h.01',
  helm: 'M8 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM8 9.200a1.200 1.200 0 1 0 0-2.400 1.200 1.200 0 0 0 0 2.400zM8 1v3M8 12v3M1 8h3M12 8h3M3 3l2.2 2.200M10.8 10.800 13 13M13 3l-2.200 2.200M5.2 10.800 3 13',
  open: 'M9 3h4v4M13 3 7.5 8.5M12 9.500V13H3V4h3.5',
  map: 'M2 2h3v3H2zM6.500 2h3v3h-3zM11 2h3v3h-3zM2 6.500h3v3H2zM6.500 6.500h3v3h-3zM2 11h3v3H2zM6.500 11h3v3h-3zM11 11h3v3h-3z',
  history: 'M3.5 3v3h3M3.2 6A5.200 5.200 0 1 1 2.8 8.500M8 5v3.500l2.3 1.4',
  back: 'M10 4 6 8l4 4M4.5 4v8',
  forward: 'M6 4l4 4-4 4M11.5 4v8',
  apply: 'M3 8.5 6.5 12 13 4.5',
} as const;

export type IconName = keyof typeof paths;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path d={paths[name]} />
  </svg>
);
