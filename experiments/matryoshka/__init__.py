"""The laboratory: the experiments of the Matryoshka paper, trained and measured on data that two cores can carry."""
