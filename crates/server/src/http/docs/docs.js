// Draws the OpenAPI document as a page. Text goes in as text: nothing of the document is taken for HTML.
'use strict';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function table(heads, rows) {
  const made = element('table');
  const head = element('tr');
  for (const text of heads) head.append(element('th', text, { scope: 'col' }));
  made.append(head);
  for (const cells of rows) {
    const row = element('tr');
    for (const cell of cells) {
      const made = element('td');
      made.append(cell instanceof Node ? cell : String(cell ?? ''));
      row.append(made);
    }
    made.append(row);
  }
  return made;
}

/** A type in a few words; a name of ours becomes a link. */
function typeOf(schema) {
  const made = element('code');
  if (!schema) return made;
  if (schema.$ref) {
    const name = schema.$ref.split('/').pop();
    made.append(element('a', name, { href: `#schema-${name}` }));
    return made;
  }
  const several = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (several) {
    several.forEach((one, index) => made.append(index > 0 ? ' | ' : '', typeOf(one)));
  } else if (schema.enum) {
    made.append(schema.enum.map((value) => JSON.stringify(value)).join(' | '));
  } else if (schema.type === 'array' || schema.type?.includes?.('array')) {
    made.append('[', typeOf(schema.items), ']');
  } else {
    made.append([schema.type ?? 'any'].flat().join(' | '));
  }
  return made;
}

function bodies(content) {
  return Object.entries(content ?? {}).map(([kind, { schema }]) => {
    const made = element('span', `${kind}: `);
    made.append(typeOf(schema));
    return made;
  });
}

function operation(path, method, told) {
  const id = `${method}-${path.replaceAll(/[^a-z]+/g, '-')}`;
  const made = element('section', undefined, { class: 'operation', id });
  const head = element('h3');
  head.append(element('span', method, { class: 'method' }), path);
  made.append(head, element('p', [told.summary, told.description].filter(Boolean).join(' ')));
  if (told.security?.length) {
    const names = told.security.flatMap((one) => Object.keys(one)).join(', ');
    const isOptional = told.security.some((one) => Object.keys(one).length === 0);
    made.append(element('p', `Bearer token${isOptional ? ', where one is set' : ''}: ${names}`));
  }
  if (told.parameters?.length) {
    const rows = told.parameters.map((one) => [one.name, one.in, typeOf(one.schema), one.description]);
    made.append(table(['Parameter', 'In', 'Type', 'What'], rows));
  }
  for (const body of bodies(told.requestBody?.content)) {
    const line = element('p', 'Body: ');
    line.append(body);
    made.append(line);
  }
  const rows = Object.entries(told.responses ?? {}).map(([status, { description, content }]) => {
    const cell = element('span');
    cell.append(...bodies(content));
    return [status, cell, description];
  });
  made.append(table(['Answer', 'Body', 'What'], rows));
  return [made, id];
}

function schema(name, told) {
  const made = element('section', undefined, { class: 'operation', id: `schema-${name}` });
  made.append(element('h3', name), element('p', told.description ?? ''));
  if (told.properties) {
    const rows = Object.entries(told.properties).map(([field, one]) => {
      const isThere = told.required?.includes(field);
      return [isThere ? field : `${field}?`, typeOf(one), one.description];
    });
    made.append(table(['Field', 'Type', 'What'], rows));
  } else {
    made.append(typeOf(told));
  }
  return made;
}

async function draw() {
  const main = document.getElementById('operations');
  const response = await fetch('/api/openapi.json');
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  const told = await response.json();
  const list = element('ul');
  main.append(element('p', told.info.description ?? ''));
  for (const [path, methods] of Object.entries(told.paths)) {
    for (const method of METHODS.filter((name) => methods[name])) {
      const [made, id] = operation(path, method, methods[method]);
      main.append(made);
      const item = element('li');
      item.append(element('a', `${method.toUpperCase()} ${path}`, { href: `#${id}` }));
      list.append(item);
    }
  }
  main.append(element('h2', 'What is sent'));
  for (const [name, one] of Object.entries(told.components?.schemas ?? {})) main.append(schema(name, one));
  document.getElementById('contents').append(list);
}

draw().catch((error) => {
  document.getElementById('operations').append(element('p', `The document cannot be shown: ${error.message}`));
});
