// What nobody answered in time: looked at anew by itself, which keeps no screen open.
import { fragment } from "./fragment.js";
import { localTimes } from "./times.js";

const AGAIN_MS = 5_000;
const link = document.getElementById("link");

function say(text) {
  if (link.textContent !== text) link.textContent = text;
}

async function look() {
  try {
    const { status, element } = await fragment("/alerts/late?part=1");
    if (status === 401) return location.reload();
    if (status !== 200) return say(element.textContent.trim().replace(/\s+/g, " "));
    const had = document.activeElement?.id;
    document.getElementById("late").replaceWith(element);
    localTimes(element);
    if (had) document.getElementById(had)?.focus();
    say("Live: what is not answered comes in by itself.");
  } catch {
    say("NO LINK: what stands here may be old.");
  }
}

async function follow() {
  for (;;) {
    await look();
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
}

follow();
