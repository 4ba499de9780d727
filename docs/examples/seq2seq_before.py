import tensorflow as tf
import tensorflow_addons as tfa

TOKENS, UNITS, START, END = 12, 16, 1, 2  # 0 is padding

embedding = tf.keras.layers.Embedding(TOKENS, 8)
encoder = tf.keras.layers.LSTM(UNITS, return_sequences=True, return_state=True)
attention = tfa.seq2seq.LuongAttention(UNITS)
cell = tfa.seq2seq.AttentionWrapper(
    tf.keras.layers.LSTMCell(UNITS), attention, attention_layer_size=UNITS
)
output_layer = tf.keras.layers.Dense(TOKENS)
trainer = tfa.seq2seq.BasicDecoder(cell, tfa.seq2seq.TrainingSampler(), output_layer)
optimizer = tf.keras.optimizers.SGD(0.2, momentum=0.9)


def encode(source, beams=1):
    memory, *state = encoder(embedding(source))
    lengths = tf.reduce_sum(tf.cast(source != 0, "int32"), axis=1)
    memory, state, lengths = (
        tfa.seq2seq.tile_batch(x, multiplier=beams) for x in (memory, state, lengths)
    )
    attention.setup_memory(memory, memory_sequence_length=lengths)
    first = cell.get_initial_state(batch_size=len(source) * beams, dtype=tf.float32)
    return first.clone(cell_state=state)


def train_step(source, target):
    inputs, right = target[:, :-1], target[:, 1:]
    with tf.GradientTape() as tape:
        steps = tf.fill([len(target)], inputs.shape[1])
        decoded, _, _ = trainer(
            embedding(inputs), initial_state=encode(source), sequence_length=steps
        )
        real = tf.cast(right != 0, "float32")
        loss = tfa.seq2seq.sequence_loss(decoded.rnn_output, right, weights=real)
    weights = [*embedding.weights, *encoder.weights, *trainer.trainable_variables]
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    return loss


def train(source, target, epochs):
    return [float(train_step(source, target)) for _ in range(epochs)]


def translate(source, steps):
    sampler = tfa.seq2seq.GreedyEmbeddingSampler()
    decoder = tfa.seq2seq.BasicDecoder(cell, sampler, output_layer, maximum_iterations=steps)
    start = tf.fill([len(source)], START)
    decoded, _, _ = decoder(
        embedding.embeddings, start_tokens=start, end_token=END, initial_state=encode(source)
    )
    return decoded.sample_id


def search(source, steps, beams):
    decoder = tfa.seq2seq.BeamSearchDecoder(
        cell, beams, output_layer=output_layer, maximum_iterations=steps
    )
    decoded, _, _ = decoder(
        embedding.embeddings,
        start_tokens=tf.fill([len(source)], START),
        end_token=END,
        initial_state=encode(source, beams),
    )
    return decoded.predicted_ids[:, :, 0]
