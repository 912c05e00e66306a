"""What learns from examples: each turns the features of people into log-odds, and says what each feature adds."""
