// Times llama.cpp: reading a prompt, and generating after it. What `cria bench prompt` and `cria bench decode` measure.
//
//   npm install node-llama-cpp@3.22.1        brings llama.cpp built for each instruction set
//   python peers.py gguf --out 3b.gguf       random weights of OpenLLaMA-3B in Q4_0
//   node llama_cpp.mjs 3b.gguf [repeats] [threads]
import {getLlama} from "node-llama-cpp";

const [file, repeats = "5", threads = "2"] = process.argv.slice(2);
const PROMPT = 512, TOKENS = 128, WORDS = 32000;

const llama = await getLlama({gpu: false, build: "never"});
const model = await llama.loadModel({modelPath: file});
const count = Number(threads);
const context = await model.createContext({contextSize: 1024, batchSize: PROMPT, threads: {ideal: count, min: count}});
const sequence = context.getSequence();

const seconds = async (run) => {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
};
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

const prompts = [], tokens = [];
for (let i = 0; i <= Number(repeats); i++) {
  const words = Array.from({length: PROMPT}, () => 300 + Math.floor(Math.random() * (WORDS - 300)));
  await sequence.clearHistory();
  const reading = await seconds(() => sequence.evaluateWithoutGeneratingNewTokens(words));
  const generating = await seconds(async () => {
    let made = 0;
    for await (const token of sequence.evaluate([words[0]], {temperature: 0, yieldEogToken: true})) {
      if (++made >= TOKENS) break;
    }
  });
  if (i === 0) continue; // does not count
  prompts.push(PROMPT / reading);
  tokens.push(TOKENS / generating);
}
console.log(JSON.stringify({peer: "llama.cpp", system: llama.systemInfo, prompt: median(prompts), prompts,
  decode: median(tokens), tokens}));
process.exit(0);
