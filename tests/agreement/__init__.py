"""How far survey-core and we agree, on generated forms and answers and on the corpus (scripts/oracle)."""
