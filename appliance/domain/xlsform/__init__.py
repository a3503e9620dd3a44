"""XLSForm → SurveyJS: a converter of sheets that were already read. What is not carried over is reported."""
