package dev.cria.llm.chat;

import dev.cria.llm.InvalidInputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Well-known templates by name, for models that bring none. */
public final class NamedTemplates {
  /**
   * The form of the Stanford Alpaca project: one instruction, perhaps with an input, one response.
   */
  public static final String ALPACA = "alpaca";

  private static final String ALPACA_TASK =
      "Below is an instruction that describes a task. Write a response that appropriately completes the request.";
  private static final String ALPACA_TASK_WITH_INPUT =
      "Below is an instruction that describes a task, paired with an input that provides further context. "
          + "Write a response that appropriately completes the request.";

  private static final Map<String, String> TEMPLATES = new LinkedHashMap<>();

  static {
    TEMPLATES.put(
        ALPACA,
        """
        {{- bos_token }}
        {%- if messages[0]['role'] == 'system' %}{{ messages[0]['content'] + '\\n\\n' }}
        {%- else %}{{ 'TASK\\n\\n' }}{% endif %}
        {%- for message in messages %}
        {%- if message['role'] == 'user' %}{{ '### Instruction:\\n' + message['content'] + '\\n\\n' }}
        {%- elif message['role'] == 'assistant' %}{{ '### Response:\\n' + message['content'] }}
        {%- if not loop.last %}{{ eos_token + '\\n\\n' }}{% else %}{{ eos_token }}{% endif %}
        {%- elif not loop.first %}{{ raise_exception('a system message stands first') }}{% endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"""
            .replace("TASK", ALPACA_TASK));
    TEMPLATES.put(
        "chatml",
        """
        {{- bos_token }}
        {%- for message in messages %}
        {{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}""");
    TEMPLATES.put(
        "vicuna",
        """
        {{- bos_token }}
        {%- if messages[0]['role'] == 'system' %}{{ messages[0]['content'] + ' ' }}
        {%- else %}{{ 'A chat between a curious user and an artificial intelligence assistant. ' }}
        {{- "The assistant gives helpful, detailed, and polite answers to the user's questions. " }}{% endif %}
        {%- for message in messages %}
        {%- if message['role'] == 'user' %}{{ 'USER: ' + message['content'] + ' ' }}
        {%- elif message['role'] == 'assistant' %}{{ 'ASSISTANT: ' + message['content'] + eos_token }}
        {%- elif not loop.first %}{{ raise_exception('a system message stands first') }}{% endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}""");
    TEMPLATES.put(
        "llama-2",
        """
        {%- set given = messages[0]['role'] == 'system' %}
        {%- for message in messages %}
        {%- if message['role'] == 'user' %}
        {%- set start = (given and loop.index0 == 1) %}
        {{- bos_token + '[INST] ' }}
        {%- if start %}{{ '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' }}{% endif %}
        {{- message['content'] + ' [/INST]' }}
        {%- elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + ' ' + eos_token }}
        {%- elif not loop.first %}{{ raise_exception('a system message stands first') }}{% endif %}
        {%- endfor %}""");
    TEMPLATES.put(
        "zephyr",
        """
        {{- bos_token }}
        {%- for message in messages %}
        {{- '<|' + message['role'] + '|>\\n' + message['content'] + eos_token + '\\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}""");
  }

  private NamedTemplates() {}

  /** The names there are. */
  public static List<String> names() {
    return List.copyOf(TEMPLATES.keySet());
  }

  /** Jinja text of a template; an unknown name is an error that lists the known ones. */
  public static String jinja(String name) {
    String jinja = TEMPLATES.get(name);
    if (jinja == null) {
      throw new InvalidInputException(
          "chat template",
          "\"" + name + "\" is not known; " + String.join(", ", TEMPLATES.keySet()) + " are");
    }
    return jinja;
  }

  /** The Alpaca form of a task: with an input the sentence before it differs. */
  static List<Message> alpaca(String instruction, String input) {
    List<Message> messages = new ArrayList<>();
    if (!input.isEmpty()) {
      messages.add(new Message(Message.SYSTEM, ALPACA_TASK_WITH_INPUT));
    }
    messages.add(
        Message.user(input.isEmpty() ? instruction : instruction + "\n\n### Input:\n" + input));
    return messages;
  }
}
