"""What is said beside an answer when it is not a model's checked answer: why it quotes, why it refuses."""

NOTICES = {
    "asked": {
        "en": "Quoted from the documents, word for word.",
        "zh": "以下逐字引自文件。",
    },
    "wins": {
        "en": "Quoting answered this assistant's test questions better than the language model in use, so this is quoted, word for word.",
        "zh": "在这个助手的测试题上，引用原文比当前的语言模型答得好，以下逐字引自文件。",
    },
    "down": {
        "en": "The language model is not running, so this is quoted from the documents, word for word.",
        "zh": "语言模型没有运行，以下逐字引自文件。",
    },
    "unread": {
        "en": "The language model in use does not read this language, so this is quoted from the documents, word for word.",
        "zh": "当前的语言模型不懂中文，以下逐字引自文件。",
    },
    "unchecked": {
        "en": "The language model's answer did not stand up to the citation check, so this is quoted from the documents, word for word.",
        "zh": "语言模型的回答没有通过引文核对，以下逐字引自文件。",
    },
    "thought": {
        "en": "The language model spent all its thinking without coming to an answer, so this is quoted from the documents, word for word.",
        "zh": "语言模型用完了思考额度，仍没有给出回答，以下逐字引自文件。",
    },
    "long": {
        "en": "No passage fits beside this question in the model's prompt, so this is quoted from the documents, word for word.",
        "zh": "问题太长，提示中放不下任何段落，以下逐字引自文件。",
    },
    "surveyed": {
        "en": "For this the documents were read from end to end; lines that have these words are quoted as they stand.",
        "zh": "为此通读了文件，以下逐字引用含有这些词语的内容。",
    },
    "summed": {
        "en": "The document's own sentences, the first of each section, word for word.",
        "zh": "以下逐字引用文件各节的第一句。",
    },
    "cut": {
        "en": "The language model stopped in the middle; what stands here was checked.",
        "zh": "语言模型中途停止；以上内容均已核对。",
    },
    "chosen": {
        "en": "Chosen by the language model, not quoted.",
        "zh": "由语言模型选定，并非引文。",
    },
    "judged": {
        "en": "What is true or false here is the language model's judgement, not quoted.",
        "zh": "其中的真假由语言模型判断，并非引文。",
    },
    "refused-malformed": {
        "en": "The language model did not write an answer of the form that was asked for.",
        "zh": "语言模型没有写出所要求格式的回答。",
    },
    "refused-value": {
        "en": "A value in the language model's answer did not stand up to the citation check.",
        "zh": "语言模型的回答中有一个值没有通过引文核对。",
    },
    "refused-silent": {
        "en": "Too little in the documents bears on the question.",
        "zh": "文件中与这个问题有关的内容太少。",
    },
    "refused-model": {
        "en": "The language model found no answer in the passages.",
        "zh": "语言模型在这些段落中没有找到答案。",
    },
}
