// An agency's identity provider as tests need one: the certified server oidc-provider, with people, passwords and second
// factors from a file. `node provider.mjs CONFIG.json` listens on 127.0.0.1 and prints one line of JSON when it does. With
// `issuer` and `tls` (files `key` and `cert`) in the file it is that issuer, over HTTPS, at every address of the machine.
// On SIGHUP it reads the file anew, for other keys, and prints another; who has signed in stays signed in.
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { readFileSync } from "node:fs";
import { Provider } from "oidc-provider";
import { createMemoryAdapter } from "./node_modules/oidc-provider/lib/adapters/memory_adapter.js";

const config = () => JSON.parse(readFileSync(process.argv[2], "utf8"));
let now = config();
let answer;
const memory = createMemoryAdapter();

// What the sign-in behind an access token was: RFC 9068 puts it into the token for services to see.
function signIn(ctx, token) {
  const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities;
  const source = DeviceCode ?? AuthorizationCode ?? RefreshToken;
  const password = source.amr?.includes("pwd") ? { pwd_policy: now.passwordPolicy } : {};
  return { acr: source.acr, amr: source.amr, auth_time: source.authTime, sid: token.sessionUid, ...password };
}

async function grantOf(ctx) {
  const { client, session, provider } = ctx.oidc;
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope("openid");
  for (const resource of Object.keys(now.resources)) grant.addResourceScope(resource, "use");
  await grant.save();
  return grant;
}

function provider(issuer) {
  return new Provider(issuer, {
    adapter: memory,
    jwks: { keys: now.keys },
    cookies: { keys: [now.cookieKey] },
    clients: now.clients,
    acrValues: [now.acr.one, now.acr.two],
    extraTokenClaims: signIn,
    findAccount: (_, id) => (now.people[id] ? { accountId: id, claims: () => ({ sub: id }) } : undefined),
    loadExistingGrant: grantOf,
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
    ttl: { Session: 43200, Grant: 43200, RefreshToken: 43200, Interaction: 600 },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => Object.keys(now.resources)[0],
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: "use",
          audience: now.resources[resource],
          accessTokenTTL: now.seconds,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: now.algorithm } },
        }),
      },
    },
  });
}

async function body(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return new URLSearchParams(text);
}

// The provider's own page: a name, a password, and a second factor for those who give one.
async function page(server, request, response) {
  if (request.method !== "POST") {
    response.setHeader("content-type", "text/html");
    response.end('<form method="post"><input name="name"><input name="password" type="password"><input name="code"></form>');
    return;
  }
  const form = await body(request);
  // A program on the person's own machine could be any program: the provider asks whether it is meant.
  if ((await server.interactionDetails(request, response)).prompt.name === "consent") {
    await server.interactionFinished(request, response, { consent: {} }, { mergeWithLastSubmission: true });
    return;
  }
  const person = now.people[form.get("name")];
  if (!person || person.password !== form.get("password")) {
    response.writeHead(401).end("name or password is wrong");
    return;
  }
  const two = form.get("code") === person.code;
  const login = { accountId: form.get("name"), acr: two ? now.acr.two : now.acr.one, amr: two ? ["pwd", "otp"] : ["pwd"] };
  await server.interactionFinished(request, response, { login });
}

function serve(issuer) {
  const server = provider(issuer);
  server.on("server_error", (_, error) => console.error(error));
  const callback = server.callback();
  answer = (request, response) =>
    request.url.startsWith("/sign-in/")
      ? page(server, request, response).catch((error) => response.writeHead(400).end(error.message))
      : callback(request, response);
}

const handle = (request, response) => answer(request, response);
const secure = () => createSecureServer({ key: readFileSync(now.tls.key), cert: readFileSync(now.tls.cert) }, handle);
const listener = now.tls ? secure() : createServer(handle);
listener.listen(now.port ?? 0, now.tls ? "0.0.0.0" : "127.0.0.1", () => {
  const issuer = now.issuer ?? `http://127.0.0.1:${listener.address().port}`;
  const begin = () => {
    now = config();
    serve(issuer);
    console.log(JSON.stringify({ issuer }));
  };
  process.on("SIGHUP", begin);
  begin();
});
