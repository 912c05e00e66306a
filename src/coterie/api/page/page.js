"use strict";
// Draws /openapi.json as forms that ask the server. Text only ever enters the page as text.

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const bodyFields = (operation, components) => {
  const schema = operation.requestBody?.content["application/json"].schema;
  if (!schema) return [];
  const { properties, required = [] } = schema.$ref ? components[schema.$ref.split("/").pop()] : schema;
  return Object.entries(properties).map(([name, field]) => ({
    name, in: "body", required: required.includes(name), schema: field, description: field.description,
  }));
};

const field = (parameter) => {
  const long = parameter.name === "pql";
  const input = make(long ? "textarea" : "input", {
    name: parameter.name,
    required: Boolean(parameter.required),
    placeholder: parameter.schema?.default ?? "",
  });
  if (long) input.rows = 3;
  input.dataset.in = parameter.in;
  return make("label", {}, make("span", { textContent: parameter.name + (parameter.required ? " *" : "") }), input,
    make("small", { textContent: parameter.description ?? "" }));
};

const request = (method, path, form) => {
  let address = path;
  const query = new URLSearchParams();
  const body = {};
  for (const input of form.elements) {
    if (!input.name || input.value === "") continue;
    if (input.dataset.in === "path") {
      address = address.replace(new RegExp(`\\{${input.name}[^}]*\\}`), () => encodeURIComponent(input.value));
    } else if (input.dataset.in === "query") query.set(input.name, input.value);
    else body[input.name] = input.value;
  }
  const options = method === "POST"
    ? { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
    : { method };
  return [address + (query.size ? `?${query}` : ""), options];
};

const operationOf = (path, method, operation, components) => {
  const answer = make("pre", { hidden: true, tabIndex: 0 });
  const form = make("form", {}, ...[...(operation.parameters ?? []), ...bodyFields(operation, components)].map(field),
    make("button", { textContent: "Ask" }), answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [address, options] = request(method, path, form);
    answer.hidden = false;
    answer.textContent = `${method} ${address}\n…`;
    try {
      const response = await fetch(address, options);
      const text = await response.text();
      answer.textContent = `${method} ${address}\n${response.status}\n\n${JSON.stringify(JSON.parse(text), null, 2)}`;
    } catch (error) {
      answer.textContent = `${method} ${address}\n${error}`;
    }
  });
  return make("details", {},
    make("summary", {},
      make("span", { className: `method ${method}`, textContent: method }),
      make("code", { textContent: path }),
      make("span", { className: "about", textContent: operation.summary ?? "" })),
    form);
};

const draw = (document_) => {
  const { info, paths, components } = document_;
  document.getElementById("version").textContent = info.version;
  const parts = info.description.trim().split("`");
  document.getElementById("about").replaceChildren(
    ...parts.map((part, place) => (place % 2 ? make("code", { textContent: part }) : part)));
  const groups = new Map();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? "";
      if (!groups.has(tag)) groups.set(tag, make("section", {}, make("h2", { textContent: tag })));
      groups.get(tag).append(operationOf(path, method.toUpperCase(), operation, components.schemas));
    }
  }
  document.getElementById("operations").replaceChildren(...groups.values());
};

fetch("/openapi.json")
  .then((response) => response.json())
  .then(draw)
  .catch((error) => {
    document.getElementById("operations").textContent = `The description could not be read: ${error}`;
  });
